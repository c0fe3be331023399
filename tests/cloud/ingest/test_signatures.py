"""Signatures of batches: ingest accepts what the audit of the chain accepts, and refuses everything else."""

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cloud.vehicles.ingest.signatures import is_signed
from protocols.uplink.envelope import sign_hash, signed_bytes, verify_hash

HASH = bytes(range(32))
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
PUBLIC_KEY = KEY.public_key().public_bytes_raw()
SIGNATURE = sign_hash(HASH, KEY)
IDENTITY = bytes((1, *bytes(31)))
"""The neutral element of the curve. As a key it verifies one signature over every message."""
FIELD = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
"""The prime of the curve (RFC 8032, 5.1), and the order of its base point."""


def signature_with(point: bytes) -> bytes:
    """Return the signature by `KEY` whose nonce is the private key of the seed `HASH`, with `point` in place of that of
    the nonce."""
    digest = hashlib.sha512(point + PUBLIC_KEY + signed_bytes(HASH)).digest()
    number = scalar_of(HASH) + int.from_bytes(digest, "little") * scalar_of(bytes(32))
    return point + (number % ORDER).to_bytes(32, "little")


def scalar_of(seed: bytes) -> int:
    """Return the secret scalar of a private key (RFC 8032, 5.1.5)."""
    number = int.from_bytes(hashlib.sha512(seed).digest()[:32], "little")
    return number & ((1 << 254) - 8) | 1 << 254


def plus_point_of_order_two(point: bytes) -> bytes:
    """Return (−x, −y), which is a point (x, y) plus (0, −1). A point is its y, with the parity of x as the top bit."""
    number = int.from_bytes(point, "little")
    odd, y = number >> 255, number & ((1 << 255) - 1)
    return (FIELD - y | (1 - odd) << 255).to_bytes(32, "little")


def test_signature_of_the_gateway_is_accepted() -> None:
    assert is_signed(HASH, SIGNATURE, PUBLIC_KEY)
    assert verify_hash(HASH, SIGNATURE, PUBLIC_KEY)


@pytest.mark.parametrize("place", [0, 31, 32, 63])
def test_changed_signature_is_refused(place: int) -> None:
    changed = bytes(octet ^ (at == place) for at, octet in enumerate(SIGNATURE))
    assert not is_signed(HASH, changed, PUBLIC_KEY)


def test_signature_over_another_hash_is_refused() -> None:
    assert not is_signed(HASH[::-1], SIGNATURE, PUBLIC_KEY)


def test_signature_by_another_key_is_refused() -> None:
    assert not is_signed(HASH, SIGNATURE, Ed25519PrivateKey.from_private_bytes(HASH).public_key().public_bytes_raw())


@pytest.mark.parametrize(("signature", "key"), [(SIGNATURE[:-1], PUBLIC_KEY), (SIGNATURE, PUBLIC_KEY[:-1]), (b"", b"")])
def test_signature_or_key_of_another_length_is_refused(signature: bytes, key: bytes) -> None:
    assert not is_signed(HASH, signature, key)


def test_key_that_verifies_every_message_is_refused() -> None:
    everywhere = IDENTITY + bytes(32)
    assert verify_hash(HASH, everywhere, IDENTITY), "OpenSSL accepts it"
    assert not is_signed(HASH, everywhere, IDENTITY)


def test_signature_with_a_part_of_small_order_is_refused_as_by_the_audit() -> None:
    """The holder of the private key can make such a signature. The development branch of libsodium accepts it."""
    point = Ed25519PrivateKey.from_private_bytes(HASH).public_key().public_bytes_raw()
    sound, changed = signature_with(point), signature_with(plus_point_of_order_two(point))
    assert is_signed(HASH, sound, PUBLIC_KEY)
    assert verify_hash(HASH, sound, PUBLIC_KEY)
    assert not is_signed(HASH, changed, PUBLIC_KEY)
    assert not verify_hash(HASH, changed, PUBLIC_KEY)
