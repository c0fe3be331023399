"""The kinds of simulated Bluetooth devices: their measurements and characteristics."""
