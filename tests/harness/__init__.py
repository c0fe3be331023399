"""Test equipment shared by all tests: real brokers and databases, simulated peers, and clocks that a test moves."""
