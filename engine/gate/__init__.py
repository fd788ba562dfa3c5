"""The hot path: a click goes in, an outcome comes out."""
