"""Passwords: argon2id in a pool of threads that cannot be flooded.

One check takes some 19 MiB and some ten milliseconds by intention (OWASP's first choice: m=19 MiB, t=2, p=1). Two at a
time leave the event loop its core; more than a handful waiting is told to come again, since every one of them would
otherwise wait for memory and processor that a flood has taken.
"""

import asyncio
import secrets
import unicodedata
from concurrent.futures import ThreadPoolExecutor

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from cloud.access.identity.errors import PasswordUnfit, SignInBusy

MEMORY_KIB = 19_456
PASSES = 2
LENGTH_LEAST, LENGTH_MAX = 12, 256
THREADS = 2
WAITING_MAX = 16


class Passwords:
    """Hashes and checks. `close` ends its threads."""

    def __init__(self, *, threads: int = THREADS, waiting_max: int = WAITING_MAX) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._places = threads + waiting_max
        self._taken = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the text that is stored. Raises `PasswordUnfit`, `SignInBusy`."""
        return await self._in_pool(checked(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Return whether this is the password behind `stored`. None (no such user) takes as long.

        Raises `SignInBusy`.
        """
        try:
            presented = checked(password)
        except PasswordUnfit:
            presented, stored = "no password of anybody", None
        if stored is None and self._nobodys is None:
            self._nobodys = await self._in_pool(secrets.token_urlsafe())
        found = await self._in_pool(presented, stored or self._nobodys)
        return found == presented and stored is not None

    async def _in_pool(self, password: str, stored: str | None = None) -> str:
        """The hash of a password or, given one, the password if it fits and an empty text otherwise."""
        if self._taken >= self._places:
            raise SignInBusy
        self._taken += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._work, password, stored)
        finally:
            self._taken -= 1

    def _work(self, password: str, stored: str | None) -> str:
        if stored is None:
            return self._hasher.hash(password)
        try:
            self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return ""
        return password

    def close(self) -> None:
        """Let the threads end when they are done."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def checked(password: str) -> str:
    """The password in one Unicode form, so that every keyboard writes the same. Raises `PasswordUnfit`."""
    if not LENGTH_LEAST <= len(password) <= LENGTH_MAX:
        raise PasswordUnfit
    return unicodedata.normalize("NFKC", password)


def new_password() -> str:
    """A fresh one for somebody who will change it, 128 random bits."""
    return secrets.token_urlsafe(16)
