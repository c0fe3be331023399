"""The error of a background step that another process runs."""

from cloud.foundation.errors import PrivateError


class StepLeaseLost(PrivateError, code="step_lease_lost", status=409):
    """Another process runs this background step now."""
