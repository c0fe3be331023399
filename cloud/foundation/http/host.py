"""The four hosts of the contract, under the names that the code uses (design D8, contract matrix A-010).

`iss`, `aud`, `Location`, problem types and every other absolute address are derived from `Bases`.
"""

from collections.abc import Mapping
from enum import StrEnum


class Host(StrEnum):
    """A host of the contract. A route exists only on the hosts that it names."""

    AUTH = "auth"
    API = "api"
    SANDBOX = "sandbox"
    DOCS = "docs"


EVERY_HOST = tuple(Host)

Bases = Mapping[Host, str]
"""Public address of each host, scheme and authority, without a path and without a slash at the end."""
