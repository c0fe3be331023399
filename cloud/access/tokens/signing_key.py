"""One RSA key that signs access tokens, and its life: next, current, retired, gone (A-040).

A key is published for longer than anybody may cache the key set before it signs its first token, and stays published
until the last token that it signed has expired. So a verifier with a cached key set never meets an unknown key.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from jwt.algorithms import RSAAlgorithm

from cloud.foundation.master_key import MasterKey

ALGORITHM = "RS256"
TYPE = "at+jwt"  # RFC 9068 §2.1
MODULUS_BITS = 3072
EXPONENT = 65537

SECOND_US = 1_000_000
MAX_AGE_S = 300
"""How long the key set may be cached…"""
STALE_S = 600
"""…and how much longer a cache may serve it while it asks for a new one."""
PUBLISHED_LEAST_US = (MAX_AGE_S + STALE_S) * SECOND_US
SKEW_US = 60 * SECOND_US
"""Difference of clocks between our own machines, and more than the time in which all of them see a change."""

PUBLISHED_MAX = 16
"""Keys of the published set. Every verifier fetches the whole set and tries to keep it. Enough for a rotation each week
while 90-day tokens keep thirteen retired keys published; rotating more often than tokens end would let it grow without
a limit."""

_PURPOSE = "signing keys"


class KeyState(StrEnum):
    """Where a key is in its life."""

    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"
    WITHDRAWN = "withdrawn"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A stored key. `private_key_sealed` is opened by whoever signs; verifying needs the public half only."""

    number: int
    kid: str
    public_key: bytes
    private_key_sealed: bytes = field(repr=False)
    published_at_us: int
    signs_from_us: int | None
    retired_at_us: int | None
    covers_until_us: int
    withdrawn_at_us: int | None

    @property
    def state(self) -> KeyState:
        if self.withdrawn_at_us is not None:
            return KeyState.WITHDRAWN
        if self.retired_at_us is not None:
            return KeyState.RETIRED
        return KeyState.NEXT if self.signs_from_us is None else KeyState.CURRENT

    @property
    def published_until_us(self) -> int | None:
        """When it leaves the key set; None while it signs or will sign."""
        if self.state is KeyState.WITHDRAWN:
            return self.withdrawn_at_us
        return None if self.retired_at_us is None else max(self.covers_until_us, self.retired_at_us) + SKEW_US

    def is_published(self, now_us: int) -> bool:
        until_us = self.published_until_us
        return until_us is None or now_us < until_us

    def public(self) -> RSAPublicKey:
        key = serialization.load_der_public_key(self.public_key)
        assert isinstance(key, RSAPublicKey)
        return key

    def private(self, master: MasterKey) -> RSAPrivateKey:
        """The private half. Raises `SealBroken` under another master key."""
        octets = master.open(_PURPOSE, self.kid, self.private_key_sealed)
        key = serialization.load_der_private_key(octets, None)
        assert isinstance(key, RSAPrivateKey)
        return key


def generate(number: int, master: MasterKey, now_us: int) -> SigningKey:
    """A new key, not yet used. Takes up to a second: run it in a thread."""
    private = generate_private_key(EXPONENT, MODULUS_BITS)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = Hash(SHA256())
    digest.update(public)
    kid = f"{datetime.fromtimestamp(now_us / SECOND_US, UTC):%Y-%m}-signing-key-{digest.finalize().hex()[:10]}"
    octets = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(
        number=number,
        kid=kid,
        public_key=public,
        private_key_sealed=master.seal(_PURPOSE, kid, octets),
        published_at_us=now_us,
        signs_from_us=None,
        retired_at_us=None,
        covers_until_us=0,
        withdrawn_at_us=None,
    )


def jwk(key: SigningKey) -> dict[str, str]:
    """The published form (RFC 7517, RFC 7518 §6.3.1). These members and no others: nothing private can slip in."""
    public = RSAAlgorithm.to_jwk(key.public(), as_dict=True)
    return {
        "kty": "RSA",
        "kid": key.kid,
        "use": "sig",
        "alg": ALGORITHM,
        "n": public["n"],
        "e": public["e"],
    }
