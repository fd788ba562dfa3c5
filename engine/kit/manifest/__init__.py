"""What is wrong with a manifest, as far as no step has to run for it."""
