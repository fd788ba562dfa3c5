"""The wiring: what follows what, what a worker does, and the processes."""
