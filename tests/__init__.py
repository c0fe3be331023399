"""Tests of the product's capabilities, grouped by capability."""

from contextlib import suppress

# Code that derives facts from all slices needs their list. The older product, which findings run on, has no such list.
with suppress(ModuleNotFoundError):
    import cloud.slices  # noqa: F401
