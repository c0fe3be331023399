"""Seal signing secrets for the database: encrypted under the master key and bound to their subscription."""

from cloud.foundation.master_key import MasterKey
from cloud.partners.webhooks.tables import SECRETS_SEALED_FOR


def seal_key(master: MasterKey, webhook_id: str, key: bytes) -> bytes:
    return master.seal(SECRETS_SEALED_FOR, webhook_id, key)


def open_key(master: MasterKey, webhook_id: str, sealed: bytes) -> bytes:
    """Unseal the signing key of a webhook. Raises `SealBroken`."""
    return master.open(SECRETS_SEALED_FOR, webhook_id, sealed)
