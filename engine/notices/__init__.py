"""Messages promised to people."""
