"""Generate, digest and compare client secrets.

A secret is 256 random bits, so it cannot be guessed and needs no slow hash: its SHA-256 is safe to store, and takes
microseconds to check. A comparison takes the same number of steps also for a client that does not exist, so its
duration does not disclose which clients exist.
"""

import hashlib
import hmac
import secrets
from collections.abc import Sequence

SECRET_OCTETS = 32
SECRET_LENGTH_MAX = 256
"""Longest secret that is compared; ours have 43 characters."""

LIVE_MAX = 2
"""Secrets of one app that work at the same time: the new one, and for a while the previous one (A-031)."""

_ABSENT_DIGEST = bytes(32)  # no SHA-256 is known to give this


def new_secret() -> str:
    """Generate a client secret as URL-safe text."""
    return secrets.token_urlsafe(SECRET_OCTETS)


def digest_of(client_id: str, secret: str) -> bytes:
    """Return the digest of a client secret, for storage. The digest covers the client id, so a copy of the digest in
    another app's row is useless."""
    return hashlib.sha256(b"argus client secret\0" + client_id.encode() + b"\0" + secret.encode()).digest()


def matches(client_id: str, secret: str, digests: Sequence[bytes]) -> bool:
    """Return whether `digests` has the digest of this secret. The duration is the same for any number of digests."""
    assert len(digests) <= LIVE_MAX
    presented = digest_of(client_id, secret[:SECRET_LENGTH_MAX])
    found = False
    for digest in (*digests, *[_ABSENT_DIGEST] * (LIVE_MAX - len(digests))):
        found |= hmac.compare_digest(presented, digest)
    return found and len(secret) <= SECRET_LENGTH_MAX
