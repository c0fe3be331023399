"""Extraction of whole APDUs from a byte stream."""
