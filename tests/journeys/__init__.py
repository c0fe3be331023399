"""Stories of several people and machines, told with the real processes."""
