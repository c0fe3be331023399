"""The Ed25519 keys of the `v1a` signature: generation, sealing, publication and rotation. Webhook keys are published
apart from the token keys: a key that signs messages to partners must never verify a token.
"""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.signing_keys import KeyRing, KeyStore, LifeCycle, StoredKey
from cloud.partners.webhooks.errors import TooManyWebhookKeys, WebhookKeysAbsent, WebhookKeyTooFresh
from cloud.partners.webhooks.tables import KEYS_SEALED_FOR, webhook_keys

SECOND_US = 1_000_000
MAX_AGE_S = 300
"""Time for which a receiver may cache the published keys."""
PUBLISHED_LEAST_US = 900 * SECOND_US
RETIRED_US = 86_400 * SECOND_US
"""Time for which a retired key stays published, since a receiver may queue messages before it verifies them."""

PUBLISHED_MAX = 8
"""Limit of the published keys: six rotations a day. A receiver may try each of them on a signature."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookKey(StoredKey):
    """An Ed25519 key pair for `v1a` signatures; `public_key` is the 32 raw bytes (RFC 8032)."""

    LIFE: ClassVar[LifeCycle] = LifeCycle(
        publish_ahead_us=PUBLISHED_LEAST_US,
        publish_after_us=RETIRED_US,
        published_max=PUBLISHED_MAX,
        too_fresh=WebhookKeyTooFresh,
        too_many=TooManyWebhookKeys,
    )

    def private(self, master: MasterKey) -> Ed25519PrivateKey:
        """Unseal the private key. Raises `SealBroken` when another master key sealed it."""
        return Ed25519PrivateKey.from_private_bytes(master.open(KEYS_SEALED_FOR, self.kid, self.private_key_sealed))

    def public(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public_key)

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JWK (RFC 8037 §2), with a copy in the `whpk_` form of Standard Webhooks."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
            "status": self.state.value,
            "x": base64.urlsafe_b64encode(self.public_key).rstrip(b"=").decode(),
            "standard_webhooks_key": "whpk_" + base64.b64encode(self.public_key).decode(),
        }


def generate(number: int, master: MasterKey, now_us: int) -> WebhookKey:
    """Generate the webhook key with this sequence number. The private half is sealed under the master key."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    digest = Hash(SHA256())
    digest.update(public)
    kid = f"webhook-{number}-{digest.finalize().hex()[:10]}"
    raw = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return WebhookKey(
        number=number,
        kid=kid,
        public_key=public,
        private_key_sealed=master.seal(KEYS_SEALED_FOR, kid, raw),
        published_at_us=now_us,
    )


class WebhookKeys(KeyRing[WebhookKey]):
    """The key ring of webhook keys. The function `master` returns the master key, and is called only to generate a
    webhook key."""

    def __init__(self, database: Database, clock: Clock, master: Callable[[], MasterKey]) -> None:
        store = KeyStore(webhook_keys, WebhookKey)
        super().__init__(database, clock, store, lambda number, now_us: generate(number, master(), now_us))
        self._audit = Audit(clock)

    async def current(self) -> WebhookKey:
        """Return the webhook key that signs now; generate the first keys if there are none. Raises `WebhookKeysAbsent`
        while another worker generates them."""
        for _ in range(2):
            for key in await self.list():
                if key.is_current:
                    return key
            await self.ensure()
        raise WebhookKeysAbsent

    async def _record_rotation(self, tx: Transaction, current: WebhookKey) -> None:
        """Write an audit entry of the rotation for every tenant, since the webhook receivers of all tenants verify with
        the webhook keys."""
        await self._audit.record_for_every_tenant(tx, "webhook_key.rotate", current.kid)
