"""Signing secrets as they lie in the database: sealed under the master key, bound to their subscription."""

from cloud.foundation.master_key import MasterKey

_PURPOSE = "webhook secrets"


def seal_key(master: MasterKey, webhook_id: str, key: bytes) -> bytes:
    """What is stored of a secret's key."""
    return master.seal(_PURPOSE, webhook_id, key)


def open_key(master: MasterKey, webhook_id: str, sealed: bytes) -> bytes:
    """The key that signs. Raises `SealBroken`."""
    return master.open(_PURPOSE, webhook_id, sealed)
