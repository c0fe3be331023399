"""Database files that earlier releases wrote, for tests that each release opens all of them."""
