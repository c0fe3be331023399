"""Signatures of a transcript: the algorithms, the context strings, and the keys that check them.

Each record has two signatures, by HMAC-SHA-256 with a key of the tenant and by ML-DSA-65 (FIPS 204) with the
platform's key. A context string separates the signatures of records from those of roots: ML-DSA takes it as its context
(FIPS 204 5.2), HMAC as a prefix of the message. Only the keeper of the tenant's key can check an HMAC; anyone can check
ML-DSA with the published key. Signing with ML-DSA draws random bytes, so it is not here (`cloud/work/provenance`).
"""

import hashlib
import hmac
from enum import StrEnum
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from protocols.errors import RemoteProtocolError
from protocols.provenance.key_period import KeyPeriod

RECORD_CONTEXT = b"argus.prov.record.v1"
ROOT_CONTEXT = b"argus.prov.root.v1"
PUBLIC_KEY_BYTES = 1952
"""Size of a raw ML-DSA-65 public key (FIPS 204 table 2)."""
_HMAC_KEY_BYTES = 32
_HKDF_SALT = b"argus-provenance"


class Algorithm(StrEnum):
    """Algorithm of a signature, by its name in the contract."""

    HMAC_SHA256 = "hmac-sha256"
    ML_DSA_65 = "ml-dsa-65"


SIGNATURE_BYTES = {Algorithm.HMAC_SHA256: 32, Algorithm.ML_DSA_65: 3309}
"""Size of a signature (FIPS 198-1 with SHA-256; FIPS 204 table 2)."""


class Signer(Protocol):
    """A key that signs for one tenant. An implementation may block for a millisecond (ML-DSA-65)."""

    @property
    def algorithm(self) -> Algorithm:
        """Algorithm of the key."""
        ...

    @property
    def kid(self) -> str:
        """Identifier of the key, under which the key that checks it is found."""
        ...

    def sign(self, context: bytes, message: bytes) -> bytes:
        """Return the signature over `message` under the context string `context`."""
        ...


class VerifyKey(Protocol):
    """A key that checks signatures of one algorithm."""

    def verify(self, context: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether `signature` was made over `message` under the context string `context` with this key."""
        ...


class VerifyKeys(Protocol):
    """The keys that a verifier accepts."""

    def find(self, algorithm: Algorithm, kid: str) -> VerifyKey | None:
        """Return the key of this algorithm and identifier, None if the verifier has none."""
        ...

    def period(self, algorithm: Algorithm, kid: str) -> KeyPeriod | None:
        """Return the period of a key that `find` returned, None if it has no limits and is not withdrawn."""
        ...


def tenant_key(master_key: bytes, tenant_id: str, kid: str) -> bytes:
    """Return the 32-byte HMAC key of a tenant, derived from the master key with the identifier `kid` (RFC 5869)."""
    info = f"tenant:{tenant_id}|alg:{Algorithm.HMAC_SHA256}|kid:{kid}".encode()
    return HKDF(SHA256(), length=_HMAC_KEY_BYTES, salt=_HKDF_SALT, info=info).derive(master_key)


class HmacKey:
    """The HMAC-SHA-256 key of a tenant, which both signs and checks. Its repr does not show the key."""

    __slots__ = ("_key", "kid")
    algorithm = Algorithm.HMAC_SHA256

    def __init__(self, key: bytes, kid: str) -> None:
        assert len(key) == _HMAC_KEY_BYTES
        self._key = key
        self.kid = kid

    def sign(self, context: bytes, message: bytes) -> bytes:
        """Return the 32-byte HMAC over `context` and `message`."""
        return hmac.digest(self._key, context + message, hashlib.sha256)

    def verify(self, context: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether `signature` is the HMAC over `context` and `message`, in constant time."""
        return hmac.compare_digest(self.sign(context, message), signature)


class MlDsaPublicKey:
    """A published ML-DSA-65 key, which checks signatures (FIPS 204)."""

    __slots__ = ("_key",)

    def __init__(self, raw: bytes) -> None:
        """Read the raw key. Raises `RemoteProtocolError` unless it has 1952 bytes."""
        if len(raw) != PUBLIC_KEY_BYTES:
            raise RemoteProtocolError(f"an ML-DSA-65 key has {PUBLIC_KEY_BYTES} bytes", clause="FIPS 204 table 2")
        self._key = MLDSA65PublicKey.from_public_bytes(raw)

    def verify(self, context: bytes, message: bytes, signature: bytes) -> bool:
        """Return whether `signature` is valid over `message` under the context string `context`."""
        try:
            self._key.verify(signature, message, context)
        except InvalidSignature:
            return False
        return True
