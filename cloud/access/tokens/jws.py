"""Sign and verify tokens as compact JWS (RFC 7515 §7.1) with PyJWT. The exact header is checked before PyJWT is called.

A header is accepted only if it is, byte for byte, the one that `sign` writes for a published key. No parser reads any
other header, so `alg`, `jwk`, `jku`, `crit` and a poisoned `kid` have no effect. PyJWT also accepts padded base64url,
which RFC 7515 §2 forbids; here a token has exactly one spelling.

`claims` and `verifier` check the claims. PyJWT would check times by the machine's clock, while the sandbox has its own
clock. PyJWT also accepts forms that are never minted, such as a time as text.
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
    """A public key that verifies tokens. `retired_at_us` None: the key signs or will sign. `published_until_us` None:
    no end of its publication is known."""

    kid: str
    key: RSAPublicKey
    retired_at_us: int | None
    published_until_us: int | None

    @property
    def signature_length(self) -> int:
        """The number of characters of a token's signature segment."""
        return -(-self.key.key_size // 6)


def header_segment(kid: str) -> bytes:
    """Return the base64url header segment, which is the same for every token that the key `kid` signs."""
    return base64.urlsafe_b64encode(orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE})).rstrip(b"=")


def sign(key: RSAPrivateKey, kid: str, payload: bytes) -> str:
    """Sign a payload and return the token. RSA takes nearly 1 ms, and a switch to a thread about as long, so a thread
    saves time only while the caller waits for something else."""
    return _JWS.encode(payload, key, ALGORITHM, {"kid": kid, "typ": TYPE})


def may_be_signed(token: bytes, keys: Mapping[bytes, VerificationKey]) -> bool:
    """Return whether the token has a header that is in `keys` and a signature of the right length. The signature itself
    is not verified. `keys` maps the encoded header segment of a token to the key that verifies the token."""
    key = keys.get(token.partition(b".")[0])
    return key is not None and len(token.rpartition(b".")[2]) == key.signature_length


def verify(token: bytes, keys: Mapping[bytes, VerificationKey]) -> tuple[dict[str, Any], VerificationKey]:
    """Return a token's payload and the key that signed the token. `keys` maps the encoded header segment of a token to
    the key that verifies the token. Raises `SignatureRefused`."""
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
