"""Resolve host names with the system's resolver, on threads of its own.

On shared threads, a few unresponsive name servers would delay every look-up and file access of the process. A zone (the
last two labels of a name) may use only some of the threads, so an unresponsive server delays only its own zone.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS = 64
"""Concurrent look-ups. The system abandons each after 10 to 30 s."""
ZONE_THREADS = 8
"""Threads for the names of one zone, an eighth of all: enough for hundreds of look-ups a second at a working server."""


class NameUnresolved(Exception):
    """The name has no address, or nobody says so at the moment."""


class Resolver(Protocol):
    """Resolves host names. It does not cache, since an address that passed the check for one call must not be used for
    a later call."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Return at least one address, as text, preferred addresses first. Raises `NameUnresolved`."""
        ...


class _Zone:
    """The look-ups of names in one zone (the last two labels of a name). `turns` limits how many look-ups run at once,
    and `users` counts the running and the queued ones."""

    __slots__ = ("turns", "users")

    def __init__(self) -> None:
        self.turns = asyncio.Semaphore(ZONE_THREADS)
        self.users = 0


class SystemResolver:
    """Resolves names with `getaddrinfo`, which respects the hosts file, search lists and address preferences."""

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
            # A cancelled caller does not stop the thread, which counts in its zone until the look-up ends.
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
        """End the threads. A thread whose look-up still runs ends after the look-up."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def zone_of(host: str) -> str:
    """Return the last two labels of a name: usually a registered domain, seldom a suffix that many domains share."""
    return ".".join(host.lower().rstrip(".").split(".")[-2:])


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
