"""Simulated devices over the gateway's own links; build one with `kinds.build_agent`."""
