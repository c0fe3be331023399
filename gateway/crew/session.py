"""Who has entered the PIN: a cookie that a page keeps and the gateway can check after its own restart.

Why signed and not remembered: the gateway is restarted in the middle of a drive, and a crew must not type a PIN again
for it. The key is made from the store's key and the PIN, so a changed PIN ends all sessions. The cookie holds its end
and nothing about anybody. It is not `Secure`: in the vehicle's own network the page has no name that a certificate
could hold (docs/operator.md says what that means).
"""

import hashlib
import hmac

COOKIE = "argus_crew"
SESSION_S = 12 * 3600
"""A long shift."""


def session_key(store_key: bytes, pin: str) -> bytes:
    """32 octets that only this gateway with this PIN has."""
    return hmac.digest(store_key, b"argus crew session v1\0" + pin.encode(), hashlib.sha256)


def issue(key: bytes, now_us: int) -> str:
    """A cookie that is good for `SESSION_S`."""
    end_s = now_us // 1_000_000 + SESSION_S
    return f"{end_s}.{_seal(key, end_s)}"


def valid(key: bytes, cookie: str, now_us: int) -> bool:
    end_text, _, seal = cookie.partition(".")
    if not (end_text.isascii() and end_text.isdecimal() and len(end_text) <= 12):
        return False
    end_s = int(end_text)
    now_s = now_us // 1_000_000
    # A wall clock that was set back must not make an old cookie good for longer than a session.
    return hmac.compare_digest(seal.encode(), _seal(key, end_s).encode()) and now_s < end_s <= now_s + SESSION_S


def _seal(key: bytes, end_s: int) -> str:
    return hmac.digest(key, str(end_s).encode(), hashlib.sha256).hex()
