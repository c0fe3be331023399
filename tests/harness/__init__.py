"""The ground under the tests: real brokers, databases, and clocks that are moved by hand."""
