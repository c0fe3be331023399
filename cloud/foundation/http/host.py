"""The four hosts of the contract, by our words for them (D8, matrix A-010).

What a host is called by clients, and where it listens, are settings; `Bases` carries the public addresses from which
`iss`, `aud`, `Location`, problem types and every other absolute address derive.
"""

from collections.abc import Mapping
from enum import StrEnum


class Host(StrEnum):
    """Where a route exists. On the others it does not."""

    AUTH = "auth"
    API = "api"
    SANDBOX = "sandbox"
    DOCS = "docs"


EVERY_HOST = tuple(Host)

Bases = Mapping[Host, str]
"""Public address of each host, scheme and authority, without a path and without a slash at the end."""
