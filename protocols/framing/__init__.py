"""Framing: extraction of whole APDUs from a byte stream."""
