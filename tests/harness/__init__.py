"""What tests stand on: real brokers, databases, clocks that are moved by hand."""
