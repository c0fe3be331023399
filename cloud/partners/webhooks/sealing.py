"""Seal signing secrets for the database: under the master key, bound to their subscription."""

from cloud.foundation.master_key import MasterKey

_PURPOSE = "webhook secrets"


def seal_key(master: MasterKey, webhook_id: str, key: bytes) -> bytes:
    """Return a secret's key in its stored, sealed form."""
    return master.seal(_PURPOSE, webhook_id, key)


def open_key(master: MasterKey, webhook_id: str, sealed: bytes) -> bytes:
    """Return the key that signs. Raises `SealBroken`."""
    return master.open(_PURPOSE, webhook_id, sealed)
