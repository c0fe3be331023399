"""What can be refused about an address that somebody wants us to call."""

from cloud.foundation.errors import DomainError


class UrlMalformed(DomainError):
    """An address to call reads like https://receiver.example/path, in at most 2048 characters."""

    code = "url_malformed"
    status = 400


class UrlBlocked(DomainError):
    """This address may not be called."""

    code = "blocked_url"
    status = 422
