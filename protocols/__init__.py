"""Bytes to values and back, without a clock, a socket, a log or a database."""
