"""The link between gateway and cloud, versioned: a box in a vehicle may be months older than the cloud."""
