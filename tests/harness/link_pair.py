"""Two links connected to each other over a real socket pair, for a manager and an agent in one test.

`slice_bytes=1` delivers the data byte by byte, which must make no difference to a correct reader.
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

from gateway.transports.link import Link
from gateway.transports.tcp import TcpLink


class SlicedLink:
    """A wrapper of a link whose `receive` returns at most `slice_bytes` per call."""

    def __init__(self, link: Link, slice_bytes: int) -> None:
        self._link = link
        self._slice_bytes = slice_bytes
        self._held = b""

    @property
    def name(self) -> str:
        return self._link.name

    @property
    def is_line(self) -> bool:
        return self._link.is_line

    async def receive(self) -> bytes:
        if not self._held:
            self._held = await self._link.receive()
        taken, self._held = self._held[: self._slice_bytes], self._held[self._slice_bytes :]
        return taken

    async def send(self, data: bytes) -> None:
        await self._link.send(data)

    async def close(self) -> None:
        await self._link.close()


@asynccontextmanager
async def link_pair(*, slice_bytes: int | None = None) -> AsyncIterator[tuple[Link, Link]]:
    """Yield two links, each of which receives what the other sends. Both are closed after the block."""
    links: list[Link] = []
    for number, end in enumerate(socket.socketpair(), start=1):
        end.setblocking(False)
        link = TcpLink(f"pair:{number}")
        await asyncio.get_running_loop().create_connection(partial(_same, link), sock=end)
        links.append(link if slice_bytes is None else SlicedLink(link, slice_bytes))
    try:
        yield links[0], links[1]
    finally:
        for open_link in links:
            await open_link.close()


def _same(link: TcpLink) -> TcpLink:
    return link
