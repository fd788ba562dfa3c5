"""The playbook author's kit: what `wanfa playbook …` and a playbook's own tests stand on."""
