"""Who is asking: tokens, passwords, logins. What they may do is decided at the doors (api/)."""
