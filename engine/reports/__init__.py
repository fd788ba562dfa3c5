"""What a config has brought: counters from Postgres, and the playbook's own numbers made of them."""
