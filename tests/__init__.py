"""Tests of the product, grouped by the part or capability that they test."""

from contextlib import suppress

# Code that derives facts from all slices needs their list. The older product, which findings run on, has no such list.
with suppress(ModuleNotFoundError):
    import cloud.slices  # noqa: F401
