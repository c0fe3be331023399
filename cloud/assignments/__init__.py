"""Which encounter a device's values belong to, and when (D16)."""
