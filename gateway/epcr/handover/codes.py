"""One-time codes with which a hospital's reader opens a hand-over on the vehicle's network.

A code has eight characters (40 bits), lives for `CODE_S`, and the first device that opens it becomes its reader; after
that it opens nothing. A new code of an encounter ends the code and the reader before it, so a crew that sees that
another device was faster takes the access back with one tap. Only digests are kept, in memory: a restart ends all
codes.

Guesses: within the life of a code, a device that guesses without a break at a thousand codes a second has a chance of
one in two million. So there is no limit for all devices together, which would let one device lock the readers out. Each
address has a limit, which only saves work.
"""

import hashlib
import secrets
from dataclasses import dataclass

from gateway.transports.clock import Clock
from protocols.bounded_map import BoundedMap

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Characters that people do not confuse (Crockford's base 32)."""
CODE_LENGTH = 8
CODE_S = 600.0
"""Life of a code that no device has opened."""
READ_S = 1_800.0
"""Time for which a reader may read, from the opening."""
CODES_MAX = 16
"""Encounters with a code or a reader; the one that was issued longest ago is ended first."""
WRONG_MAX = 10
"""Wrong codes of one address within `WRONG_S`."""
WRONG_S = 60.0
ADDRESSES_MAX = 256
_SIMILAR = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True)
class Issued:
    """A new code, as it is shown: "7Q4K-2M9P". `life_s`: seconds until it expires."""

    code: str
    life_s: float


@dataclass(frozen=True, slots=True)
class Opened:
    """A reader's access: a secret token for the reader's device."""

    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The code opens nothing. `wait_s`: seconds until this address may try again, 0: at once."""

    wait_s: float = 0.0


@dataclass(slots=True)
class _Access:
    code: bytes
    until_s: float
    reader: bytes = b""
    opened_us: int | None = None


@dataclass(slots=True)
class _Guesses:
    began_s: float
    count: int = 0


class HandoverCodes:
    """The codes and readers of one vehicle."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._accesses: BoundedMap[str, _Access] = BoundedMap(CODES_MAX)
        self._guesses: BoundedMap[str, _Guesses] = BoundedMap(ADDRESSES_MAX)

    def issue(self, encounter: str) -> Issued:
        """Return a new code for an encounter. The code and the reader before it end."""
        characters = "".join(secrets.choice(ALPHABET) for _ in range(CODE_LENGTH))
        self._accesses[encounter] = _Access(_digest(characters), self._clock.monotonic_s() + CODE_S)
        half = CODE_LENGTH // 2
        return Issued(f"{characters[:half]}-{characters[half:]}", CODE_S)

    def open(self, code: str, address: str) -> Opened | Refused:
        """Open a hand-over with a code, as it was typed or scanned. It opens nothing a second time."""
        now_s = self._clock.monotonic_s()
        guesses = self._guesses.get(address)
        if guesses is None or now_s - guesses.began_s >= WRONG_S:
            guesses = self._guesses[address] = _Guesses(now_s)
        if guesses.count >= WRONG_MAX:
            return Refused(wait_s=guesses.began_s + WRONG_S - now_s)
        digest = _code_digest(code)
        for access in self._accesses.values():
            if not access.reader and access.until_s > now_s and secrets.compare_digest(access.code, digest):
                token = secrets.token_urlsafe(_TOKEN_BYTES)
                access.reader = _digest(token)
                access.until_s = now_s + READ_S
                access.opened_us = self._clock.wall_us()
                return Opened(token)
        guesses.count += 1
        return Refused()

    def is_spent_by(self, code: str, token: str) -> bool:
        """Return whether the reader with this token opened its access with this code, and may still read."""
        encounter = self.encounter_of(token)
        return encounter is not None and secrets.compare_digest(self._accesses[encounter].code, _code_digest(code))

    def encounter_of(self, token: str) -> str | None:
        """Return the encounter that a reader may read; None for an unknown or expired token."""
        now_s, digest = self._clock.monotonic_s(), _digest(token)
        for encounter, access in self._accesses.items():
            if access.reader and access.until_s > now_s and secrets.compare_digest(access.reader, digest):
                return encounter
        return None

    def opened_us(self, encounter: str) -> int | None:
        """Return the wall time at which the reader of an encounter opened it; None while there is no reader."""
        access = self._accesses.get(encounter)
        return None if access is None or access.until_s <= self._clock.monotonic_s() else access.opened_us

    def has_code(self, encounter: str) -> bool:
        """Return whether a code of this encounter can be opened."""
        access = self._accesses.get(encounter)
        return access is not None and not access.reader and access.until_s > self._clock.monotonic_s()


def _code_digest(code: str) -> bytes:
    """Return the digest of a code as it was typed or scanned."""
    return _digest(code.upper().translate(_SIMILAR)[: CODE_LENGTH + 1])


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
