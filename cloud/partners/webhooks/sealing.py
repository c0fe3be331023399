"""Seal signing secrets for the database: encrypted under the master key and bound to their subscription."""

from cloud.foundation.master_key import MasterKey

_PURPOSE = "webhook secrets"


def seal_key(master: MasterKey, webhook_id: str, key: bytes) -> bytes:
    return master.seal(_PURPOSE, webhook_id, key)


def open_key(master: MasterKey, webhook_id: str, sealed: bytes) -> bytes:
    """Unseal the signing key of a webhook. Raises `SealBroken`."""
    return master.open(_PURPOSE, webhook_id, sealed)
