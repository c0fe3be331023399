"""Bluetooth Low Energy over any stack: one adapter, its scanner, and the GATT links to devices."""
