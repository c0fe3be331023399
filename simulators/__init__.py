"""The other side of every wire: patients, devices, vehicles and faults."""
