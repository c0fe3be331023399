"""The error of a background step that another process runs."""

from cloud.foundation.errors import DomainError


class StepLeaseLost(DomainError, code="step_lease_lost", status=409):
    """Another process runs this background step now."""
