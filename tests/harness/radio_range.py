"""The reach of the vehicle's radio for a tablet: a relay to the crew page that a test can cut.

Out of reach, every connection ends and new ones are refused; no byte of a request arrives. The browser's own emulation
of a missing network is not used: it lets requests pass that are then lost on the way back.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_CHUNK = 65536


class RadioRange:
    """A relay to a port of this machine. `url`: the address of the page through the relay."""

    def __init__(self, beyond: int) -> None:
        self._beyond = beyond
        self._port = 0
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def enter(self) -> None:
        """Accept connections, always on the same port."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self._port, reuse_address=True)
        self._port = self._server.sockets[0].getsockname()[1]

    def leave(self) -> None:
        """End every connection and accept no new ones."""
        if self._server is not None:
            self._server.close()
        for writer in self._writers:
            writer.transport.abort()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = {writer}
        self._writers.add(writer)
        try:
            if self._server is None or not self._server.is_serving():  # it was accepted a moment before
                return
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._beyond)
            ends.add(far_writer)
            if writer.transport.is_closing():  # out of reach meanwhile
                return
            self._writers.add(far_writer)
            await asyncio.gather(_pass_on(reader, far_writer), _pass_on(far_reader, writer))
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()


@asynccontextmanager
async def radio_range(beyond: int) -> AsyncIterator[RadioRange]:
    """Yield a relay that accepts connections, and cut it after the block."""
    reach = RadioRange(beyond)
    await reach.enter()
    try:
        yield reach
    finally:
        reach.leave()
