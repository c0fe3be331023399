"""Errors about events."""

from cloud.foundation.errors import PrivateError


class LeaseLost(PrivateError, code="lease_lost", status=409):
    """Another worker holds the lease on this work. The result was discarded."""
