"""The snapshot of what is on sale, and what consumers see of it."""
