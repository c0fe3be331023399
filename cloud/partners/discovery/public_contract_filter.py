"""The routes that the public contract must never show, as patterns of host and path (contract matrix A-137, A-138).

The contract promises that internal, administrative and partner-only routes never appear in it, and names this file as
the place of the list. The patterns include the host, because `/v1/platform/*` is public on the auth host while
`/api/v1/platform/*` on the api host is not. The list is published with the docs, so that anyone can compare it with the
real routes. A second check is independent of the list: a route must also be declared as part of the contract
(`Route.in_contract`).
"""

from collections.abc import Iterable
from fnmatch import fnmatchcase

DENYLIST: tuple[str, ...] = (
    # On request only: their documentation belongs to the approved programmes.
    "api:/api/v1/identified*",
    "api:/api/v1/platform*",
    "auth:/v1/saml*",
    # Useful to every client, but not announced by the contract (docs/deviations.md).
    "auth:/.well-known/oauth-authorization-server*",
    "auth:/.well-known/openid-configuration",
    "auth:/.well-known/webhook-keys.json",
    "auth:/v1/oauth/introspect",
    "auth:/v1/oauth/revoke",
    "auth:/v1/webhooks/*/replays*",
    "api:/api/v1/epcr/encounters/*/mission",
    "api:/api/v1/epcr/encounters/*/share-links",
    "api:/.well-known/deprecations.json",
    "api:/v1/.well-known/*",
    "api:/v1/profiles*",
    "api:/v1/provenance/*",
    "api:/v1/downloads/*",
    "api:/v1/jobs/uploads",
    # Pages for people.
    "*:/",
    "auth:/sign-in*",
    "auth:/sign-out",
    "auth:/consent",
    "auth:/assets/*",
    "api:/problems*",
    "docs:*",
    # For operations.
    "*:/health/*",
    "*:/metrics*",
    "*:/internal*",
    "*:/admin*",
)
"""`HOST:PATH`; `*` matches any text. Paths are templates as in the contract."""

SANDBOX_MIRRORS = "api"
"""The sandbox has the routes of the api host, so a route that is denied there is denied here."""


def is_denied(host: str, path: str) -> bool:
    """Return whether a path template must stay out of the contract. `host` is `auth`, `api`, `sandbox` or `docs`."""
    names = {host, SANDBOX_MIRRORS} if host == "sandbox" else {host}
    return any(fnmatchcase(f"{name}:{path}", pattern) for name in names for pattern in DENYLIST)


def is_public(hosts: Iterable[str], path: str) -> bool:
    """Return whether a path template may be in the public contract: the path is denied on none of its hosts."""
    return not any(is_denied(host, path) for host in hosts)
