"""Console of the running gateway: its state for operators and programs, over its control socket."""
