"""The jobs supervisor: every child process, and the one notice of its exit."""
