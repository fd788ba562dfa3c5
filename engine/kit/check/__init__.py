"""`wanfa playbook check`: random schedules, what must hold in them, and what a click costs."""
