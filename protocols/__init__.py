"""Protocols of gateway and cloud: conversions of bytes to values and back, without clock, socket, log or database."""
