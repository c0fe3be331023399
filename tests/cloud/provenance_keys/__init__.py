"""Tests of the keys that sign records of provenance."""
