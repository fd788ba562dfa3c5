"""What is on sale: stores, services, templates and play configs."""
