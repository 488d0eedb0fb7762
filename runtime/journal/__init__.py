"""What stores the records of actors: journals, and the store that keeps what is committed beside them."""
