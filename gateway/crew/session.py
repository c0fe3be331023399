"""The session of a tablet that entered the PIN: a signed cookie, which the gateway can verify after its own restart.

Why signed and not stored: the gateway may restart during a drive, and the crew must not have to enter the PIN again.
The key is derived from the store's key and the PIN, so that a changed PIN ends all sessions. The cookie holds the time
of the sign-in and no personal data. It is not `Secure`: in the vehicle's own network the page has no name that a
certificate could hold (docs/operator.md explains the consequences).

The time is the machine's monotonic clock, with the id of its boot. The wall clock of a vehicle may jump by years when
it is first set, which must neither end nor prolong a session. Starting the engine may reboot the machine, so a session
continues after a reboot for the rest of its life, as far back as the gateway remembers its boots (`clocks.boots`): its
age is exact where both boots know the time, otherwise it is the time for which the machine ran.

A tablet that has entered the PIN also carries a mark, so that wrong guesses of unknown clients cannot lock it out. The
mark gives no access: it only lets the wrong guesses of this tablet be counted separately. It is a random id, signed
with a key made from the store's key, and stays valid when the PIN changes or a session ends.
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
    """Derive the key of this gateway with this PIN, 32 bytes."""
    return hmac.digest(store_key, b"argus crew session v2\0" + pin.encode(), hashlib.sha256)


def issue(key: bytes, boots: Boots) -> str:
    """Issue a cookie that is valid for `SESSION_S`."""
    boot = boots.present()
    moment = f"{boot.boot_id}.{int(boot.seen_s)}"
    return f"{moment}.{_seal(key, moment)}"


def valid(key: bytes, cookie: str, boots: Boots) -> bool:
    """Check that this gateway issued the cookie less than `SESSION_S` ago."""
    form = _FORM.fullmatch(cookie)
    if form is None:
        return False
    boot_id, second, seal = form.groups()
    if not hmac.compare_digest(seal, _seal(key, f"{boot_id}.{second}")):
        return False
    age_s = boots.age_s(boot_id, float(second))
    return age_s is not None and age_s < SESSION_S


def tablet_key(store_key: bytes) -> bytes:
    """Derive the key of this gateway, 32 bytes."""
    return hmac.digest(store_key, b"argus crew tablet v1", hashlib.sha256)


def issue_mark(key: bytes) -> str:
    """Issue the mark for a new tablet."""
    tablet = secrets.token_hex(_TABLET_ID_BYTES)
    return f"{tablet}.{_seal(key, tablet)}"


def tablet_of(key: bytes, mark: str) -> str | None:
    """Return the tablet's id, or None for a mark that this gateway did not issue. `mark` is ASCII."""
    tablet, _, seal = mark.partition(".")
    return tablet if hmac.compare_digest(seal, _seal(key, tablet)) else None


def _seal(key: bytes, text: str) -> str:
    return hmac.digest(key, text.encode(), hashlib.sha256).hex()
