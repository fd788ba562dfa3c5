"""Playbooks: found, checked, bounded, tried, and composed into the gate's script."""
