"""May this click enter: what is known of a person before the gate is asked."""
