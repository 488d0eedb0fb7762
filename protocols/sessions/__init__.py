"""Session keys: what they say, who owns them, and where what carries one goes."""
