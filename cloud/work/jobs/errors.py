"""Errors of jobs."""

from cloud.foundation.errors import PrivateError


class JobLeaseLost(PrivateError, code="job_lease_lost"):
    """The job was cancelled, or another worker has it now."""
