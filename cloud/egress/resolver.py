"""Names to addresses, by the system's own resolver, on threads that nothing else needs.

The event loop's shared threads would do until somebody's name server stops answering: a few such names would then hold
up every look-up and every file of the process.
"""

import asyncio
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

THREADS = 64
"""Look-ups at a time. The system gives each up after 10 to 30 s."""


class NameUnresolved(Exception):
    """The name has no address, or nobody says so at the moment."""


class Resolver(Protocol):
    """Where a name leads, asked anew every time: an answer that was kept could be judged once and used later."""

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        """Its addresses in text, the preferred ones first; at least one. Raises `NameUnresolved`."""
        ...


class SystemResolver:
    """`getaddrinfo`, which knows hosts files, search lists and address preferences."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="egress-dns")

    async def resolve(self, host: str, port: int) -> Sequence[str]:
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._threads, _look_up, host, port)
        except (OSError, UnicodeError):
            raise NameUnresolved from None
        if not found:
            raise NameUnresolved
        return found

    def close(self) -> None:
        """Let go of the threads; one that waits for a name server ends with it."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _look_up(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return list(dict.fromkeys(str(sockaddr[0]) for *_, sockaddr in found))
