"""Links (byte streams) to devices, and the pump that runs an IEEE 11073 association over a link."""
