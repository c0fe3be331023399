"""The kinds of Bluetooth devices: what each measures, and in which characteristics it tells it."""
