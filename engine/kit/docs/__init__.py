"""`wanfa playbook docs` and `graph`: the operators' page and the drawing of the states."""
