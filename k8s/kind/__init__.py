"""A cluster on a laptop, by kind."""
