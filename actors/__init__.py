"""Who is alive: behaviours as deterministic state machines, driven through the ports in :mod:`.port`."""
