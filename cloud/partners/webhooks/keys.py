"""The Ed25519 keys of the `v1a` signature and their life: next, current, retired, gone.

As with the keys of tokens, one is published for longer than anybody caches the set before it signs, and for a day after
its last signature, so rotation surprises no receiver. They are published apart from the token keys: a key that signs
what partners receive must never be one that a token could be checked against.
"""

import base64
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.hashes import SHA256, Hash

from cloud.foundation.clock import Clock
from cloud.foundation.db import ConstraintViolated, Database, Transaction
from cloud.foundation.master_key import MasterKey
from cloud.foundation.moments import write_moment
from cloud.partners.webhooks.errors import TooManyWebhookKeys, WebhookKeysAbsent, WebhookKeyTooFresh
from cloud.partners.webhooks.key_store import WebhookKeyStore

SECOND_US = 1_000_000
MAX_AGE_S = 300
"""How long the set may be cached."""
PUBLISHED_LEAST_US = 900 * SECOND_US
RETIRED_US = 86_400 * SECOND_US
"""A retired key stays published so long: a receiver may verify what lay in its own queue."""

PUBLISHED_MAX = 8
"""Keys of the published set: six rotations a day. A receiver tries each of them against a signature."""

_PURPOSE = "webhook keys"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookKey:
    """A stored key; `public_key` is 32 octets."""

    number: int
    kid: str
    public_key: bytes
    private_key_sealed: bytes = field(repr=False)
    published_at_us: int
    signs_from_us: int | None
    retired_at_us: int | None

    def is_published(self, now_us: int) -> bool:
        return self.retired_at_us is None or now_us < self.retired_at_us + RETIRED_US

    @property
    def is_current(self) -> bool:
        return self.signs_from_us is not None and self.retired_at_us is None

    @property
    def state(self) -> str:
        """`next`, `current` or `retired`."""
        if self.retired_at_us is not None:
            return "retired"
        return "next" if self.signs_from_us is None else "current"

    def private(self, master: MasterKey) -> Ed25519PrivateKey:
        """Raises `SealBroken` under another master key."""
        return Ed25519PrivateKey.from_private_bytes(master.open(_PURPOSE, self.kid, self.private_key_sealed))

    def public(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.public_key)

    def jwk(self) -> dict[str, str]:
        """The published form (RFC 8037 §2), with the key also as Standard Webhooks writes it."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "kid": self.kid,
            "use": "sig",
            "alg": "EdDSA",
            "x": base64.urlsafe_b64encode(self.public_key).rstrip(b"=").decode(),
            "standard_webhooks_key": "whpk_" + base64.b64encode(self.public_key).decode(),
        }


Witness = Callable[[Transaction, WebhookKey], Awaitable[None]]
"""Writes the audit entry of a change, in the change's transaction."""


async def nobody(tx: Transaction, key: WebhookKey) -> None:
    """A witness for changes that need none."""


def generate(number: int, master: MasterKey, now_us: int) -> WebhookKey:
    """A fresh key, published from now on and not used yet."""
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes_raw()
    digest = Hash(SHA256())
    digest.update(public)
    kid = f"webhook-{number}-{digest.finalize().hex()[:10]}"
    octets = private.private_bytes(
        serialization.Encoding.Raw, serialization.PrivateFormat.Raw, serialization.NoEncryption()
    )
    return WebhookKey(
        number=number,
        kid=kid,
        public_key=public,
        private_key_sealed=master.seal(_PURPOSE, kid, octets),
        published_at_us=now_us,
        signs_from_us=None,
        retired_at_us=None,
    )


class WebhookKeys:
    """The use cases. `master` is asked when a private key is needed, and only then."""

    def __init__(self, database: Database, clock: Clock, master: Callable[[], MasterKey]) -> None:
        self._database = database
        self._clock = clock
        self._master = master
        self._store = WebhookKeyStore()

    async def published(self) -> Sequence[WebhookKey]:
        """What receivers may need now, the newest first. None before the first delivery: who reads makes no key."""
        now_us = self._clock.now_us()
        async with self._database.read() as tx:
            return [key for key in reversed(await self._all(tx)) if key.is_published(now_us)]

    async def current(self) -> WebhookKey:
        """The key that signs now. The first keys are made where there are none; raises `WebhookKeysAbsent` while
        another worker is about to."""
        await self._ensure()
        async with self._database.read() as tx:
            for key in await self._all(tx):
                if key.is_current:
                    return key
        raise WebhookKeysAbsent

    async def rotate(self, *, at_once: bool = False, witness: Witness = nobody) -> WebhookKey:
        """The next key becomes current, a new next one is published; the new current key.

        `at_once`: also when receivers that cache the set may not know it.
        Raises `WebhookKeyTooFresh`, `TooManyWebhookKeys`.
        """
        await self._ensure()
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            keys = await self._all(tx, lock=True)
            if sum(key.is_published(now_us) for key in keys) >= PUBLISHED_MAX:
                raise TooManyWebhookKeys
            (successor,) = [key for key in keys if key.signs_from_us is None]
            usable_us = successor.published_at_us + PUBLISHED_LEAST_US
            if now_us < usable_us and not at_once:
                raise WebhookKeyTooFresh(f"(It can be used from {write_moment(usable_us)}.)")
            for key in keys:
                if key.is_current:
                    await self._store.move(tx, key.number, signs_from_us=key.signs_from_us, retired_at_us=now_us)
            await self._store.move(tx, successor.number, signs_from_us=now_us, retired_at_us=None)
            await self._add(tx, generate(keys[-1].number + 1, self._master(), now_us))
            current = replace(successor, signs_from_us=now_us)
            await witness(tx, current)
        return current

    async def _ensure(self) -> None:
        """Make a current and a next key where there are none; several processes may do so at once."""
        async with self._database.read() as tx:
            if await self._all(tx):
                return
        now_us = self._clock.now_us()
        first, second = [generate(number, self._master(), now_us) for number in (1, 2)]
        try:
            async with self._database.transaction() as tx:
                await self._add(tx, replace(first, signs_from_us=now_us))  # nobody has cached a set yet
                await self._add(tx, second)
        except ConstraintViolated:
            return  # another process was quicker

    async def _all(self, tx: Transaction, *, lock: bool = False) -> Sequence[WebhookKey]:
        return [WebhookKey(**row) for row in await self._store.list(tx, lock=lock)]

    async def _add(self, tx: Transaction, key: WebhookKey) -> None:
        await self._store.add(
            tx,
            {
                "number": key.number,
                "kid": key.kid,
                "public_key": key.public_key,
                "private_key_sealed": key.private_key_sealed,
                "published_at_us": key.published_at_us,
                "signs_from_us": key.signs_from_us,
                "retired_at_us": key.retired_at_us,
            },
        )
