"""The console: the running gateway as operators and programs see it, over its control socket."""
