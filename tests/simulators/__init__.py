"""What the simulators promise."""
