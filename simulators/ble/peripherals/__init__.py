"""The kinds of Bluetooth devices: the measurements of each, and their characteristics."""
