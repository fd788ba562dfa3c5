"""The rows: a folder for each part of the product, a file for each thing it does."""
