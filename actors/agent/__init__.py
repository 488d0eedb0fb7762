"""The agent actor: its sessions, its cooldown clock, its state."""
