"""Gateways and their uplink: the fleet and its broker, ingest, and custody of the batches."""
