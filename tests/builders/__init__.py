"""Small builders: a test names only what matters to it."""
