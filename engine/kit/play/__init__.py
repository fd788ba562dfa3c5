"""`wanfa playbook play`: a small sale with simulated people."""
