"""Litestar's controllers, one a role or subject."""
