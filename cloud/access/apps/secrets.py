"""Client secrets: how they are made, what is kept of them, and how one is compared.

A secret is 256 random bits that we mint ourselves, so it cannot be guessed and needs no slow hash: SHA-256 of it tells
whoever reads the database nothing, and a token request costs microseconds. (People's passwords are another matter:
cloud/access/identity.) The comparison always makes the same number of steps, also for a client that does not exist, so
that time says nothing about which clients there are.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

SECRET_OCTETS = 32
SECRET_LENGTH_MAX = 256
"""Longest secret that is looked at; ours have 43 characters."""

LIVE_MAX = 2
"""Secrets of one app that work at the same time: the new one, and for a while the previous one (A-031)."""

_NOBODYS = bytes(32)  # no SHA-256 is known to give this


def new_secret() -> str:
    """A fresh secret, URL-safe text."""
    return secrets.token_urlsafe(SECRET_OCTETS)


def digest_of(client_id: str, secret: str) -> bytes:
    """What is kept. Bound to the client, so that a row copied to another app opens nothing."""
    return hashlib.sha256(b"argus client secret\0" + client_id.encode() + b"\0" + secret.encode()).digest()


def matches(client_id: str, secret: str, digests: Sequence[bytes]) -> bool:
    """Whether the secret is one of these. An empty list takes as long as a full one."""
    assert len(digests) <= LIVE_MAX
    presented = digest_of(client_id, secret[:SECRET_LENGTH_MAX])
    found = False
    for digest in (*digests, *[_NOBODYS] * (LIVE_MAX - len(digests))):
        found |= hmac.compare_digest(presented, digest)
    return found and len(secret) <= SECRET_LENGTH_MAX
