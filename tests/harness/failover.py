"""A TCP forwarder to the first of several ports that accepts, as a load balancer before a cluster does it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import count

BYTES = 65_536


class Failover:
    """Forward each connection to one of `ports` in turn, or to the next one that accepts."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._turn = count()
        self._writers: set[asyncio.StreamWriter] = set()
        self.port = 0

    def point_to(self, ports: Sequence[int]) -> None:
        """Forward further connections to `ports`; the open ones stay."""
        self._ports = ports

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = next(self._turn)
        for number in range(len(self._ports)):
            try:
                there = await asyncio.open_connection("127.0.0.1", self._ports[(first + number) % len(self._ports)])
            except OSError:
                continue
            self._writers |= {writer, there[1]}
            await asyncio.gather(self._pass(reader, there[1]), self._pass(there[0], writer))
            self._writers -= {writer, there[1]}
            break
        writer.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()

    def close_connections(self) -> None:
        for writer in self._writers:
            writer.transport.abort()


@asynccontextmanager
async def failover(ports: Sequence[int]) -> AsyncIterator[Failover]:
    """Listen on a free port inside the block."""
    forwarder = Failover(ports)
    server = await asyncio.start_server(forwarder.serve, "127.0.0.1", 0)
    forwarder.port = server.sockets[0].getsockname()[1]
    try:
        yield forwarder
    finally:
        server.close()
        forwarder.close_connections()
