"""What people, scripts and the command line see of the running gateway, over its control socket."""
