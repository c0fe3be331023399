"""Sessions of paired Bluetooth devices, and the pairing of new ones."""
