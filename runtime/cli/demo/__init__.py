"""``wakeward demo``: its command, what happens in it, how it looks, and its result."""
