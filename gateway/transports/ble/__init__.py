"""Bluetooth Low Energy: one adapter, its scanner, and the GATT links over it, whatever the stack."""
