"""The playbooks wanfa ships with; each is loaded the way a stranger's is."""
