"""`wanfa playbook new`: a complete package from templates."""
