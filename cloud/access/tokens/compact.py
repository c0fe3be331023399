"""JWS compact serialisation (RFC 7515 §7.1), read as strictly as we write it.

Only a header that is, octet for octet, the one that we would write for a published key is accepted: no parser runs on
the header of a stranger, so `alg`, `jwk`, `jku`, `crit` and a poisoned `kid` have nothing to act upon. Base64url must
be canonical: one token has one spelling. A library is not used because PyJWT's `decode` takes 2.5 times the RSA
operation itself and every request pays it; PyJWT and joserfc are the peers that the tests hold both directions against.
"""

import binascii
from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256

from cloud.access.tokens.signing_key import ALGORITHM, TYPE

TOKEN_LENGTH_MAX = 8192
"""A token with every scope has some 1.5 kB; anything near the limit is not ours and costs no arithmetic."""

_TO_URL, _FROM_URL = bytes.maketrans(b"+/", b"-_"), bytes.maketrans(b"-_", b"+/")
_PADDING = PKCS1v15()
_HASH = SHA256()


class SignatureRefused(Exception):
    """These octets are not a token that one of these keys signed."""


class Verifying(NamedTuple):
    """A key that verifies. `retired_at_us` None: it still signs, or will."""

    kid: str
    key: RSAPublicKey
    signature_octets: int
    retired_at_us: int | None
    published_until_us: int | None


def header_of(kid: str) -> bytes:
    """The header segment of every token that this key signs."""
    return encode(orjson.dumps({"alg": ALGORITHM, "kid": kid, "typ": TYPE}))


def encode(octets: bytes) -> bytes:
    """Base64url without padding."""
    return binascii.b2a_base64(octets, newline=False).rstrip(b"=").translate(_TO_URL)


def signed_by(key: RSAPrivateKey, kid: str, payload: bytes) -> str:
    """The token that says `payload`. The RSA operation takes most of a millisecond, as long as a hop to a thread."""
    signing_input = header_of(kid) + b"." + encode(payload)
    return (signing_input + b"." + encode(key.sign(signing_input, _PADDING, _HASH))).decode()


def _decode(segment: bytes) -> bytes:
    """Lenient: what calls it compares, or has a signature over the segment."""
    if b"-" in segment or b"_" in segment:  # JSON in ASCII seldom has either, and looking is cheaper than replacing
        segment = segment.translate(_FROM_URL)
    try:
        return binascii.a2b_base64(segment + b"==")
    except binascii.Error:
        raise SignatureRefused from None


def _canonical(segment: bytes, octets: bytes) -> bool:
    """Whether this is the one spelling of these octets: no padding, line end, `+` for `-` or spare bit.

    Octets in threes leave no spare bits, so the length and the letters say it all; that spares every request of a
    3072-bit key the price of spelling its signature again.
    """
    if len(octets) % 3:
        return encode(octets) == segment
    return len(segment) * 3 == len(octets) * 4 and b"+" not in segment and b"/" not in segment


def may_be_signed(token: bytes, keys: Mapping[bytes, Verifying]) -> bool:
    """Whether this has the header of one of these keys and a signature of its length; no arithmetic is done."""
    signed, _, signature = token.rpartition(b".")
    key = keys.get(signed.partition(b".")[0])
    return key is not None and len(signature) == -(-key.signature_octets * 4 // 3)


def verified(token: bytes, keys: Mapping[bytes, Verifying]) -> tuple[dict[str, Any], Verifying]:
    """The payload and the key that signed it. Raises `SignatureRefused`."""
    signed, _, signature = token.rpartition(b".")
    header, _, payload = signed.partition(b".")
    key = keys.get(header)
    if key is None:
        raise SignatureRefused
    octets = _decode(signature)
    if len(octets) != key.signature_octets or not _canonical(signature, octets):
        raise SignatureRefused
    try:
        key.key.verify(octets, signed, _PADDING, _HASH)
    except InvalidSignature:
        raise SignatureRefused from None
    # Only what we signed comes this far; a payload that is no object would be a mistake of ours.
    document = orjson.loads(_decode(payload))
    if type(document) is not dict:
        raise SignatureRefused
    return document, key
