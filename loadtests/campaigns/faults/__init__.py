"""What happens to a system under load: kills, damaged files, frozen workers; and how it comes back."""
