"""The port to whoever moves money, and those who do."""
