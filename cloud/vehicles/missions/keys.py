"""The keys that sign missions: one Ed25519 key for each tenant, derived from the master key.

A derived key needs no row, and stays the same when the master key is rotated (`MasterKey.derive`), so the vehicles keep
the public key that they were given. A gateway of another tenant has another key, and refuses the missions of this one.
"""

import base64
from collections.abc import Callable
from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.foundation.master_key import MasterKey

KEYS_MAX = 1024
"""Tenants whose key is cached."""


class MissionKeys:
    """The keys of all tenants. `master` loads the master key, at the first use. The methods raise `MasterKeyAbsent` and
    the other errors of the master key."""

    def __init__(self, master: Callable[[], MasterKey]) -> None:
        self._master = master
        self._key = lru_cache(maxsize=KEYS_MAX)(self._derive)

    def sign(self, tenant_id: str, data: bytes) -> bytes:
        """Return the Ed25519 signature of a tenant's key over `data`."""
        return self._key(tenant_id).sign(data)

    def public_key(self, tenant_id: str) -> str:
        """Return a tenant's public key in base64, for `[mqtt] mission_keys` of the tenant's gateways."""
        return base64.b64encode(self._key(tenant_id).public_key().public_bytes_raw()).decode()

    def _derive(self, tenant_id: str) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self._master().derive(f"missions {tenant_id}"))
