"""Errors about events."""

from cloud.foundation.errors import PrivateError


class LeaseLost(PrivateError):
    """Another worker holds the lease on this work. The result was discarded."""

    code = "lease_lost"
    status = 409
