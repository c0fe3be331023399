"""Simulated ambulance on one machine: the demo runs broker, cloud, gateway and devices as real processes."""
