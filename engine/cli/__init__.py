"""The `wanfa` command and what it shows on a terminal."""
