"""Errors about the address of a delivery."""

from cloud.foundation.errors import DomainError


class UrlMalformed(DomainError):
    """A URL reads like https://receiver.example/path and has at most 2048 characters."""

    code = "url_malformed"
    status = 400


class UrlBlocked(DomainError):
    """Deliveries to this address are not allowed."""

    code = "blocked_url"
    status = 422
