"""The doors to the outside: HTTP in, problem details out."""
