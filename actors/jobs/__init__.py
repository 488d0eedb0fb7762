"""The supervisor of an agent's jobs: every child process, and the one notice of its exit."""
