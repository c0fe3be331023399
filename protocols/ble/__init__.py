"""Bluetooth LE health services: characteristic values to observations and back, one file a service."""
