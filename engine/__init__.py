"""The machine. It knows playbooks only by the contract in `engine.sdk`, never by name."""
