"""Names to addresses, by the system's own resolver, on threads that nothing else needs.

The event loop's shared threads would do until a name server stops responding: a few such names would then delay every
look-up and every file of the process. For the same reason the names of one zone share a part of the threads: a hundred
webhook addresses below a name whose server does not respond delay the deliveries to that zone alone.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS = 64
"""Look-ups at a time. The system gives each up after 10 to 30 s."""
ZONE_THREADS = 8
"""Threads for the names of one zone, an eighth of all. A name server that works answers in milliseconds, so that eight
threads look up hundreds of names a second."""


class NameUnresolved(Exception):
    """The name has no address, or nobody says so at the moment."""


class Resolver(Protocol):
    """Where a name leads, asked anew every time: an answer that was kept could be judged once and used later."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Its addresses in text, the preferred ones first; at least one. Raises `NameUnresolved`."""
        ...


class _Zone:
    """Look-ups of the names of one zone: those that run, and those that wait for their turn."""

    __slots__ = ("turns", "users")

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(ZONE_THREADS)
        self.users = 0


class SystemResolver:
    """`getaddrinfo`, which knows hosts files, search lists and address preferences."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="egress-dns")
        self._zones: dict[str, _Zone] = {}

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        name = zone_of(host)
        zone = self._zones.setdefault(name, _Zone())
        zone.users += 1
        try:
            await zone.turns.acquire()
        except BaseException:
            self._leave(name, zone)
            raise
        looking = asyncio.get_running_loop().run_in_executor(self._threads, _look_up, host, port)
        looking.add_done_callback(lambda done: self._end(name, zone, done))
        try:
            # A caller that has waited long enough does not end the thread, which keeps its turn until it is done.
            found = await asyncio.shield(looking)
        except (OSError, UnicodeError):
            raise NameUnresolved from None
        if not found:
            raise NameUnresolved
        return found

    def _end(self, name: str, zone: _Zone, done: "asyncio.Future[list[str]]") -> None:
        if not done.cancelled():
            done.exception()  # its caller may have been cancelled
        zone.turns.release()
        self._leave(name, zone)

    def _leave(self, name: str, zone: _Zone) -> None:
        zone.users -= 1
        if not zone.users:
            del self._zones[name]

    def close(self) -> None:
        """Let go of the threads; one that waits for a name server ends with it."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def zone_of(host: str) -> str:
    """The last two labels of a name: what one person registers, or less often a suffix that many share."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
