"""Simulated 20601 devices that connect over the gateway's own link types. `kinds.build_agent` creates a device."""
