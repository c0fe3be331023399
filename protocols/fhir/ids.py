"""Stable ids of resources: the same thing has the same id in each bundle, at every cloud and in the vehicle.

An id is a UUIDv5 (RFC 9562) in the namespace of the tenant. It is the `fullUrl` of the entry and the value of its
identifier. The identifier has no prefix `urn:uuid:`, since servers replace each `fullUrl` inside of a transaction by
the address of the resource."""

import hashlib
import uuid
from typing import Final

from protocols.fhir.systems import IDENTIFIER

_ROOT: Final = uuid.UUID("5f59237c-ee41-4a54-afe8-a60ac8e373fc")
_VARIANT: Final = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class Prefix:
    """The first parts of names, hashed once. `id_of` continues them."""

    __slots__ = ("_hash",)

    def __init__(self, data: bytes) -> None:
        self._hash = hashlib.sha1(data, usedforsecurity=False)  # UUIDv5 is defined with SHA-1

    def id_of(self, rest: str) -> str:
        """Return the UUIDv5 of the name that ends with `rest`."""
        hashed = self._hash.copy()
        hashed.update(rest.encode())
        digits = hashed.hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-5{digits[13:16]}-{_VARIANT[digits[16]]}{digits[17:20]}-{digits[20:32]}"


class ResourceIds:
    """Ids of the resources of one tenant."""

    def __init__(self, tenant: str) -> None:
        self._namespace = uuid.uuid5(_ROOT, tenant).bytes

    def prefix(self, *parts: str) -> Prefix:
        """Return the beginning of names: these parts, each with a slash behind it."""
        return Prefix(self._namespace + "".join(f"{part}/" for part in parts).encode())

    def id_of(self, kind: str, *parts: str) -> str:
        """Return the id of a thing of this kind that `parts` identify."""
        return self.prefix(kind, *parts[:-1]).id_of(parts[-1])


def condition(id_: str) -> str:
    """Return the `ifNoneExist` of the resource with this id."""
    return f"identifier={IDENTIFIER}|{id_}"
