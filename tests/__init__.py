"""Tests of the product, grouped by the part or capability that they test."""
