"""Gateways and their uplink: the fleet and its broker, ingest of batches, and the batches' chain of custody."""
