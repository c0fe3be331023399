"""The RSA keys that sign access tokens (contract A-040): generation, sealing, published form and life cycle."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from jwt.algorithms import RSAAlgorithm

from cloud.access.tokens.errors import KeyTooFresh, TooManyKeys
from cloud.access.tokens.tables import SEALED_FOR
from cloud.foundation.master_key import MasterKey
from cloud.foundation.signing_keys import LifeCycle, StoredKey

ALGORITHM = "RS256"
TYPE = "at+jwt"  # RFC 9068 §2.1
MODULUS_BITS = 3072
EXPONENT = 65537

SECOND_US = 1_000_000
MAX_AGE_S = 300
"""Time for which the key set may be cached."""
STALE_S = 600
"""Further time for which a cache may serve the key set while it fetches a new one."""
PUBLISHED_LEAST_US = (MAX_AGE_S + STALE_S) * SECOND_US
SKEW_US = 60 * SECOND_US
"""Allowance for the clocks of the installation's machines. It also exceeds the time that a change takes to reach
them."""

PUBLISHED_MAX = 16
"""Keys of the published set. Every verifier fetches and caches the whole set. 16 suffice for a rotation each week while
90-day tokens keep thirteen retired keys published. If keys were rotated more often than tokens expire, the set would
grow without a limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey(StoredKey):
    """A key that signs access tokens. It stays published until the last token that it signed has expired."""

    LIFE: ClassVar[LifeCycle] = LifeCycle(
        publish_ahead_us=PUBLISHED_LEAST_US,
        publish_after_us=SKEW_US,
        published_max=PUBLISHED_MAX,
        too_fresh=KeyTooFresh,
        too_many=TooManyKeys,
    )

    def public(self) -> RSAPublicKey:
        key = serialization.load_der_public_key(self.public_key)
        assert isinstance(key, RSAPublicKey)
        return key

    def private(self, master: MasterKey) -> RSAPrivateKey:
        """Unseal the private key. Raises `SealBroken` when another master key sealed it."""
        der = master.open(SEALED_FOR, self.kid, self.private_key_sealed)
        # The check of the key takes a tenth of a second. The seal proves that `generate` made it.
        key = serialization.load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
        assert isinstance(key, RSAPrivateKey)
        return key


def generate(number: int, master: MasterKey, now_us: int) -> SigningKey:
    """Generate the signing key with this sequence number. This takes up to a second: run it in a thread."""
    private = generate_private_key(EXPONENT, MODULUS_BITS)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = Hash(SHA256())
    digest.update(public)
    kid = f"{datetime.fromtimestamp(now_us / SECOND_US, UTC):%Y-%m}-signing-key-{digest.finalize().hex()[:10]}"
    der = private.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return SigningKey(
        number=number,
        kid=kid,
        public_key=public,
        private_key_sealed=master.seal(SEALED_FOR, kid, der),
        published_at_us=now_us,
    )


def jwk(key: SigningKey) -> dict[str, str]:
    """Return a key as JWK (RFC 7517, RFC 7518 §6.3.1) with a fixed list of members, none of them private."""
    public = RSAAlgorithm.to_jwk(key.public(), as_dict=True)
    return {"kty": "RSA", "kid": key.kid, "use": "sig", "alg": ALGORITHM, "n": public["n"], "e": public["e"]}
