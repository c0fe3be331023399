"""Protocols of the gateway and the cloud: they convert bytes to values and back. No module here reads a clock, opens a
socket, writes a log or uses a database.
"""
