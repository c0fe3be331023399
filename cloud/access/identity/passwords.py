"""Passwords: argon2id in a small thread pool with a bounded queue.

One check intentionally takes about 19 MiB and ten milliseconds (OWASP's first choice: m=19 MiB, t=2, p=1). At most two
run at a time, which leaves the event loop a core, and at most 16 more are queued. Further ones raise `SignInBusy`:
otherwise a flood of sign-ins would delay every user without limit.
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
    """Hashes and checks passwords. `close` ends its threads."""

    def __init__(self, *, threads: int = THREADS, waiting_max: int = WAITING_MAX) -> None:
        self._hasher = PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=1)
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="passwords")
        self._places = threads + waiting_max
        self._taken = 0
        self._nobodys: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash of a new password, as text to store. Raises `PasswordUnfit`, `SignInBusy`."""
        return await self._in_pool(checked(password))

    async def matches(self, password: str, stored: str | None) -> bool:
        """Return whether `stored` is the hash of this password. None (no such user) takes as long as a hash.

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
        """Return the hash of `password`. With the hash `stored`, return `password` if it matches, else an empty text.
        Raises `SignInBusy`."""
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
        """Discard queued checks, and let the threads end after their current ones, without waiting for them."""
        self._pool.shutdown(wait=False, cancel_futures=True)


def checked(password: str) -> str:
    """Return the password in Unicode form NFKC, so that it is the same from every keyboard. Raises `PasswordUnfit`."""
    if not LENGTH_LEAST <= len(password) <= LENGTH_MAX:
        raise PasswordUnfit
    return unicodedata.normalize("NFKC", password)


def new_password() -> str:
    """Return a generated password of 128 random bits, for a user who will change it."""
    return secrets.token_urlsafe(16)
