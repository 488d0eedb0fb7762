"""Jobs as the host and its turns see them."""
