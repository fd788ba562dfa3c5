"""Orders: what the gate decided, made durable, and what becomes of it."""
