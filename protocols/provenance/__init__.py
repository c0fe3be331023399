"""Provenance: evidence with which a third party can check a record without trust in its keeper."""
