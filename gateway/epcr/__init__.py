"""The care record (ePCR) in the vehicle."""
