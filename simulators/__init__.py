"""Simulators of everything that Argus connects to: patients, devices, vehicles and faults."""
