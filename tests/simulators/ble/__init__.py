"""Bluetooth devices without a radio."""
