"""Sessions of devices that speak IEEE 11073-20601, over serial lines and TCP."""
