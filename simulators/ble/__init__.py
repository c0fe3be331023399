"""Bluetooth LE without a radio: an ether in a process of its own, and the devices that use it."""
