"""Tests of the simulated devices, patients and radios."""
