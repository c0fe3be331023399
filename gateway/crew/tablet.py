"""A mark on each tablet that has entered the PIN, so that wrong guesses of unknown clients cannot lock it out.

The mark gives no access: it only lets the wrong guesses of this tablet be counted separately. It is a random id, signed
with a key made from the store's key, and stays valid when the PIN changes or a session ends.
"""

import hashlib
import hmac
import secrets

COOKIE = "argus_tablet"
TABLET_S = 400 * 24 * 3600
"""Seconds that a browser keeps the mark: the longest that browsers allow (RFC 6265bis §5.5). Each sign-in renews it."""
_ID_BYTES = 12


def tablet_key(store_key: bytes) -> bytes:
    """Derive the key of this gateway, 32 bytes."""
    return hmac.digest(store_key, b"argus crew tablet v1", hashlib.sha256)


def issue_mark(key: bytes) -> str:
    """Issue the mark for a new tablet."""
    tablet = secrets.token_hex(_ID_BYTES)
    return f"{tablet}.{_seal(key, tablet)}"


def tablet_of(key: bytes, mark: str) -> str | None:
    """Return the tablet's id, or None for a mark that this gateway did not issue. `mark` is ASCII."""
    tablet, _, seal = mark.partition(".")
    return tablet if hmac.compare_digest(seal, _seal(key, tablet)) else None


def _seal(key: bytes, tablet: str) -> str:
    return hmac.digest(key, tablet.encode(), hashlib.sha256).hex()
