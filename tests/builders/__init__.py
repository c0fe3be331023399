"""Small builders, which let a test name only what matters to it."""
