"""A simulated patient in plain Python: heart, circulation and lungs are coupled models, reproducible by a seed
(`patient`).
"""
