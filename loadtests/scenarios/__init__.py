"""People of locust: who they are, how many come when, and what must not happen."""
