"""What people are promised for what others buy."""
