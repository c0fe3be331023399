"""Figures of DESIGN §6, each as a ratio to a reference measured in the same run, interleaved with it."""
