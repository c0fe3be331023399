"""Tests say what the product can do, grouped by capability."""
