"""Bluetooth LE without a radio: an ether that is a process of its own, and devices that live on it."""
