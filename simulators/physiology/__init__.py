"""A simulated patient: seeded, coupled, in plain Python; see `patient`."""
