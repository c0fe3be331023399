"""Errors about the address of a delivery."""

from cloud.foundation.errors import DomainError


class UrlMalformed(DomainError, code="url_malformed", status=400):
    """A URL reads like https://receiver.example/path and has at most 2048 characters."""


class UrlBlocked(DomainError, code="blocked_url", status=422):
    """Deliveries to this address are not allowed."""
