"""The host: agents, router, turns and jobs under one roof."""
