"""Figures of DESIGN §6: each a ratio against a reference measured in the same run, interleaved with it."""
