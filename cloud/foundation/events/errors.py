"""What can be refused about events."""

from cloud.foundation.errors import DomainError


class LeaseLost(DomainError):
    """Another worker has taken this work over, because its lease had run out; its result was discarded."""

    code = "lease_lost"
    status = 409
