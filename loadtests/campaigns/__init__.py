"""Whole systems under load, killed and cut, then audited."""
