"""The session of a tablet that has entered the PIN: a signed cookie, which the gateway can verify after a restart.

The cookie is not stored in the gateway, which may restart during a drive. The key is derived from the store's key and
the PIN, so that a changed PIN ends all sessions. The cookie has the time of the sign-in and no personal data. It is not
`Secure`: in the vehicle's network the page has no name that a certificate could hold (docs/operator.md explains the
consequences).

The time is the machine's monotonic clock, with the id of the boot, because a vehicle's wall clock may jump by years
when it is first set. A session continues after a reboot for the rest of `SESSION_S`, if the gateway remembers the boot
(`clocks.boots`). The session's age is exact where the wall-clock times of both boots are known. Otherwise only the time
during which the machine ran is counted.

A tablet that has entered the PIN also gets a second cookie, its mark: a random id, signed with another key. Wrong
guesses from such a tablet are counted separately, so that guesses of unknown clients cannot lock it out. The mark gives
no access. It stays valid when the PIN changes or a session ends.
"""

import hashlib
import hmac
import re
import secrets

from gateway.sessions.clocks.boots import Boots

COOKIE = "argus_crew"
SESSION_S = 12 * 3600
"""Seconds that a session lasts: a long shift."""
TABLET_COOKIE = "argus_tablet"
TABLET_S = 400 * 24 * 3600
"""Seconds that a browser keeps the mark: the longest that browsers allow (RFC 6265bis §5.5). Each sign-in renews it."""
_TABLET_ID_BYTES = 12
_FORM = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,10})\.([0-9a-f]{64})")


def session_key(store_key: bytes, pin: str) -> bytes:
    """Derive the key that signs session cookies, 32 bytes, from the store's key and the PIN."""
    return hmac.digest(store_key, b"argus crew session v2\0" + pin.encode(), hashlib.sha256)


def issue(key: bytes, boots: Boots) -> str:
    """Return a new session cookie, valid for `SESSION_S`."""
    boot = boots.present()
    moment = f"{boot.boot_id}.{int(boot.seen_s)}"
    return f"{moment}.{_seal(key, moment)}"


def valid(key: bytes, cookie: str, boots: Boots) -> bool:
    """Return whether this gateway issued the session cookie, less than `SESSION_S` ago."""
    form = _FORM.fullmatch(cookie)
    if form is None:
        return False
    boot_id, second, seal = form.groups()
    if not hmac.compare_digest(seal, _seal(key, f"{boot_id}.{second}")):
        return False
    age_s = boots.age_s(boot_id, float(second))
    return age_s is not None and age_s < SESSION_S


def tablet_key(store_key: bytes) -> bytes:
    """Derive the key that signs the ids of known tablets, 32 bytes, from the store's key."""
    return hmac.digest(store_key, b"argus crew tablet v1", hashlib.sha256)


def issue_mark(key: bytes) -> str:
    """Return a random, signed id for a new tablet. The tablet keeps it in a cookie, its mark."""
    tablet = secrets.token_hex(_TABLET_ID_BYTES)
    return f"{tablet}.{_seal(key, tablet)}"


def tablet_of(key: bytes, mark: str) -> str | None:
    """Return the tablet's id in `mark`, which must be ASCII; None where this gateway did not sign the mark."""
    tablet, _, seal = mark.partition(".")
    return tablet if hmac.compare_digest(seal, _seal(key, tablet)) else None


def _seal(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
