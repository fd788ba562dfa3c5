"""Migrations, and the schema they add up to."""
