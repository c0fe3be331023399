"""Sign and verify tokens as compact JWS (RFC 7515 §7.1) with PyJWT, behind a check of the exact header.

A header is accepted only if it is, byte for byte, the one that `sign` writes for a published key. No parser reads any
other header, so `alg`, `jwk`, `jku`, `crit` and a poisoned `kid` have no effect. PyJWT also accepts padded base64url;
RFC 7515 §2 does not, and here a token has exactly one spelling.

`claims` and `verifier` check the claims. PyJWT would check times by the clock of the machine, while the sandbox has its
own, and accepts forms that are never minted (a time as text, an unknown audience beside a known one).
"""

import base64
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from jwt import PyJWS, PyJWTError

from cloud.access.tokens.signing_key import ALGORITHM, TYPE

TOKEN_LENGTH_MAX = 8192
"""A token with every scope has about 1.5 kB. A token near the limit was not minted here and is refused unread."""

_ALGORITHMS = (ALGORITHM,)
_JWS = PyJWS(_ALGORITHMS, {"verify_signature": True, "enforce_minimum_key_length": True})


class SignatureRefused(Exception):
    """These bytes are not a token that one of these keys signed."""


class VerificationKey(NamedTuple):
    """A key that verifies. `retired_at_us` None: it still signs, or will."""

    kid: str
    key: RSAPublicKey
    retired_at_us: int | None
    published_until_us: int | None

    @property
    def signature_length(self) -> int:
        """Characters of the signature segment."""
        return -(-self.key.key_size // 6)


def header_segment(kid: str) -> bytes:
    """Return the header segment of every token that this key signs."""
    return base64.urlsafe_b64encode(orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE})).rstrip(b"=")


def sign(key: RSAPrivateKey, kid: str, payload: bytes) -> str:
    """Return the signed token with this payload. The RSA operation takes nearly 1 ms, about as long as a switch to a
    thread."""
    return _JWS.encode(payload, key, ALGORITHM, {"kid": kid, "typ": TYPE})


def may_be_signed(token: bytes, keys: Mapping[bytes, VerificationKey]) -> bool:
    """Return whether the token has the header of one of these keys and a signature of its length; no arithmetic."""
    key = keys.get(token.partition(b".")[0])
    return key is not None and len(token.rpartition(b".")[2]) == key.signature_length


def verify(token: bytes, keys: Mapping[bytes, VerificationKey]) -> tuple[dict[str, Any], VerificationKey]:
    """Return the payload and the key that signed it. Raises `SignatureRefused`."""
    key = keys.get(token.partition(b".")[0])
    if key is None or b"=" in token:
        raise SignatureRefused
    try:
        payload = orjson.loads(_JWS.decode(token, key.key, _ALGORITHMS))
    except (PyJWTError, orjson.JSONDecodeError):
        raise SignatureRefused from None
    if type(payload) is not dict:
        raise SignatureRefused
    return payload, key
