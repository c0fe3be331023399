"""Simulated patient in plain Python, reproducible by a seed: coupled models of heart, circulation and lungs."""
