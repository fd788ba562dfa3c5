"""A sale of one playbook on a throw-away Valkey, and a clock that can be moved."""
