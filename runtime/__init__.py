"""What makes them live: the Trio kernel, the shells to the outside, host assembly and the command line."""
