"""A simulated ambulance on one machine. Broker, cloud, gateway and devices are real processes, which the demo monitors
and restarts.
"""
