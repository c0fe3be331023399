"""Gateways and what they send: the fleet and its broker, ingest, and custody of the batches."""
