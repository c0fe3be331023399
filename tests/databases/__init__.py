"""Database files that earlier releases wrote; tests check that the current code opens each of them."""
