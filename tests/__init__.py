"""Tests say what the product can do, grouped by capability."""

from contextlib import suppress

# What is derived from all slices asks which there are. The older product beside which findings run has no such list.
with suppress(ModuleNotFoundError):
    import cloud.slices  # noqa: F401
