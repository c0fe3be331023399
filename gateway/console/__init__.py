"""Console of the running gateway: its view for operators and programs, over its control socket."""
