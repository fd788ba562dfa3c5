"""Money: the provider's port, payments and refunds."""
