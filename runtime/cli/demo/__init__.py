"""``wakeward demo``."""
