"""Errors about indicators."""

from cloud.foundation.errors import DomainError


class RangeInvalid(DomainError, code="range_invalid", status=422):
    """The range of the indicators is invalid."""
