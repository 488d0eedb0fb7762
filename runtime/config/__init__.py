"""Configuration files, and the handlers that they name."""
