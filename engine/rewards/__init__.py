"""What steps have promised people: assets, credit, cash."""
