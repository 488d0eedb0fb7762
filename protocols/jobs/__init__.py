"""Child processes as values: what to run, how it ended, what it said, what its owner is told."""
