"""Checks that the source tree follows DESIGN and STYLE: sizes, names, and what must not be in a commit."""
