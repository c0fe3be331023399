"""Identifiers that the cloud generates: a prefix for the kind of object, then a ULID, so that they sort by age.

In the contract, an identifier is opaque text of at most 64 characters from `[A-Za-z0-9_-]` (contract matrix A-015,
C-016). Operators may choose one (`tenants add --id`), so `checked_id` checks every identifier from outside.
"""

import hashlib
import os
import re
from functools import lru_cache
from typing import Protocol

from cloud.foundation.clock import Clock
from cloud.foundation.errors import DomainError

# Crockford's base 32, as in the ULID specification: no I, L, O, U.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(ALPHABET)}
_TIME_LETTERS = 10
_RANDOM_BYTES = 10
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]
_HALF = (1 << 40) - 1  # of the random part; the time has the first ten letters
_STOCK_IDS = 64
_TAIL_LETTERS = 4
SHAPE = re.compile(r"[A-Za-z0-9_-]{1,64}")


class IdentifierMalformed(DomainError, code="identifier_malformed", status=422):
    """An identifier is 1 to 64 characters from A-Z, a-z, 0-9, underscore and hyphen."""


class Ids(Protocol):
    """A generator of identifiers: random in production, from a fixed seed in the sandbox and in tests."""

    def new(self, prefix: str) -> str:
        """Return a new identifier such as `dev_01HFXY…`; an empty prefix gives the bare ULID."""
        ...


class UlidIds:
    """Generates ULIDs from the clock and random bytes. Within one process, each ULID is greater than the one before.

    The random bytes of several ids are read at once: each read releases the interpreter lock, and getting it back takes
    0.1 ms under load."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0
        self._stock = b""
        self._at = 0
        self._head = _text("", 0)[:-_TAIL_LETTERS]
        """The letters of the last ULID without those of its last 20 bits."""

    def new(self, prefix: str) -> str:
        last, now_us = self._last, self._clock.now_us()
        # When the clock stops or steps back, the order of the identifiers must be kept: continue from the last one.
        number = self._random_number(now_us) if now_us // 1000 > last >> 80 else last + 1
        self._last = number
        # Most ids of a batch have the head of the one before, which takes most of the time to write.
        if number >> 20 != last >> 20:
            self._head = _text("", number)[:-_TAIL_LETTERS]
        text = f"{self._head}{_PAIRS[number >> 10 & 1023]}{_PAIRS[number & 1023]}"
        return f"{prefix}_{text}" if prefix else text

    def _random_number(self, at_us: int) -> int:
        if self._at == len(self._stock):
            self._stock, self._at = os.urandom(_STOCK_IDS * _RANDOM_BYTES), 0
        begin, self._at = self._at, self._at + _RANDOM_BYTES
        return _number(at_us, self._stock[begin : self._at])


def derived_id(prefix: str, at_us: int, *names: str) -> str:
    """Return an identifier such as `enr_01HFXY…` that depends on the arguments alone, for an object that an interrupted
    step makes again: it then has the same identifier. `names` identify the object, and have the form of `checked_id`.
    Anyone who knows them can compute it, so it is no secret."""
    return _text(prefix, _number(at_us, hashlib.sha256("/".join(names).encode()).digest()[:_RANDOM_BYTES]))


def _number(at_us: int, random: bytes) -> int:
    return (at_us // 1000) << 80 | int.from_bytes(random, "big")


def _text(prefix: str, number: int) -> str:
    high, low = number >> 40 & _HALF, number & _HALF
    # Not a loop, which takes twice as long.
    text = (
        f"{_time_text(number >> 80)}"
        f"{_PAIRS[high >> 30]}{_PAIRS[high >> 20 & 1023]}{_PAIRS[high >> 10 & 1023]}{_PAIRS[high & 1023]}"
        f"{_PAIRS[low >> 30]}{_PAIRS[low >> 20 & 1023]}{_PAIRS[low >> 10 & 1023]}{_PAIRS[low & 1023]}"
    )
    return f"{prefix}_{text}" if prefix else text


@lru_cache(64)
def _time_text(at_ms: int) -> str:
    """Return the first letters of a ULID, which the ids of a millisecond share."""
    return "".join(ALPHABET[at_ms >> shift & 31] for shift in range(45, -1, -5))


def time_of_ulid(text: str) -> int | None:
    """Return the time (µs since 1970) in a bare ULID; None for a text that does not begin as a ULID."""
    letters = text[:_TIME_LETTERS]
    if len(letters) != _TIME_LETTERS or any(letter not in _VALUES for letter in letters):
        return None
    number = 0
    for letter in letters:
        number = number << 5 | _VALUES[letter]
    return number * 1_000


def checked_id(text: str) -> str:
    """Return the text unchanged if it has the form of an identifier. Raises `IdentifierMalformed`."""
    if SHAPE.fullmatch(text) is None:
        raise IdentifierMalformed
    return text
