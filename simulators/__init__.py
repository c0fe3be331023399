"""Simulators of the peers of Argus: patients, devices, vehicles and faults."""
