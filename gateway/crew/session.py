"""Who has entered the PIN: a cookie that a page keeps and the gateway can check after its own restart.

Why signed and not remembered: the gateway is restarted in the middle of a drive, and a crew must not type a PIN again
for it. The key is made from the store's key and the PIN, so a changed PIN ends all sessions. The cookie holds the
moment of the sign-in and nothing about anybody. It is not `Secure`: in the vehicle's own network the page has no name
that a certificate could hold (docs/operator.md says what that means).

The moment is one of the machine's monotonic clock and names its boot. The wall clock of a vehicle may jump by years
when it is learnt, which must neither end a session nor make one last. An engine that starts may reboot the machine, so
a session goes on after a reboot with the rest of its life, as far as the gateway remembers the boots since
(`sessions.boots`): where both boots know the time its age is exact, else it counts the time for which the machine ran.
"""

import hashlib
import hmac
import re

from gateway.sessions.clocks.boots import Boots

COOKIE = "argus_crew"
SESSION_S = 12 * 3600
"""A long shift."""
_FORM = re.compile(r"([A-Za-z0-9_-]{1,64})\.([0-9]{1,10})\.([0-9a-f]{64})")


def session_key(store_key: bytes, pin: str) -> bytes:
    """32 octets that only this gateway with this PIN has."""
    return hmac.digest(store_key, b"argus crew session v2\0" + pin.encode(), hashlib.sha256)


def issue(key: bytes, boots: Boots) -> str:
    """A cookie that is good for `SESSION_S`."""
    boot = boots.present()
    moment = f"{boot.boot_id}.{int(boot.seen_s)}"
    return f"{moment}.{_seal(key, moment)}"


def valid(key: bytes, cookie: str, boots: Boots) -> bool:
    """Whether this gateway issued the cookie less than `SESSION_S` ago."""
    form = _FORM.fullmatch(cookie)
    if form is None:
        return False
    boot_id, second, seal = form.groups()
    if not hmac.compare_digest(seal, _seal(key, f"{boot_id}.{second}")):
        return False
    age_s = boots.age_s(boot_id, float(second))
    return age_s is not None and age_s < SESSION_S


def _seal(key: bytes, moment: str) -> str:
    return hmac.digest(key, moment.encode(), hashlib.sha256).hex()
