"""Sessions of paired Bluetooth devices, and the pairing itself."""
