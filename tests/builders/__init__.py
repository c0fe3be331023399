"""Small builders of test objects. Each has defaults for everything that a test does not care about."""
