"""One simulated ambulance on one machine: broker, cloud, gateway and devices as real processes, monitored and
restarted."""
