"""Bluetooth LE without a radio: a simulated ether in a separate process, and the devices on it."""
