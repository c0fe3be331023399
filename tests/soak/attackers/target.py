"""The addresses and credentials in a running demo that an attacker has, and the connections that attackers open."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.builders.ingest_gateway import GatewayInVehicle

PATIENCE_S = 2.0
"""Timeout of an attacker for a connection or a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Addresses of a running demo, and stolen credentials.

    `gateway` and `broker_password` are the signing key and the MQTT password of a stolen gateway; `victim_gateway` is
    another gateway of the same tenant.
    """

    api: tuple[str, int]
    auth: tuple[str, int]
    crew: tuple[str, int]
    agents: tuple[str, int]
    broker: tuple[str, int]
    token: str
    client_id: str
    username: str
    tenant_id: str
    victim_gateway: str
    gateway: GatewayInVehicle
    broker_password: str


Attack = Callable[[Target], Awaitable[None]]


def address_of(url: str) -> tuple[str, int]:
    parts = urlsplit(url if "//" in url else f"//{url}")
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


class Connection:
    """A TCP connection of an attacker. Network errors are ignored."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, address: tuple[str, int], *, source: str = "127.0.0.1") -> "Connection | None":
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                return cls(*await asyncio.open_connection(*address, local_addr=(source, 0)))
        return None

    def send(self, data: bytes) -> None:
        with suppress(OSError):
            self._writer.write(data)

    async def read(self) -> bytes:
        """Return the next bytes; empty when the connection has ended, or after 2 s without data."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                return await self._reader.read(65_536)
        return b""

    def ended(self) -> bool:
        return self._reader.at_eof() or self._reader.exception() is not None

    def close(self) -> None:
        self._writer.transport.abort()


async def exchange(address: tuple[str, int], data: bytes, *, source: str = "127.0.0.1") -> bytes:
    """Open a connection, send `data`, and return the first bytes received; empty if there are none."""
    connection = await Connection.open(address, source=source)
    if connection is None:
        await asyncio.sleep(0.1)
        return b""
    try:
        connection.send(data)
        return await connection.read()
    finally:
        connection.close()


async def hold_connections(
    address: tuple[str, int], count: int, greeting: bytes, trickle: bytes, *, source: Callable[[int], str]
) -> None:
    """Keep `count` connections open, and replace each one that ends. Each sends `greeting`, and then one byte a second
    from `trickle`, repeatedly.

    `source` maps the number of a connection to its local address.
    """

    async def hold(number: int) -> None:
        while True:
            connection = await Connection.open(address, source=source(number))
            if connection is not None:
                connection.send(greeting)
                place = 0
                while not connection.ended():
                    await asyncio.sleep(1.0)
                    if trickle:
                        connection.send(trickle[place % len(trickle) :][:1])
                        place += 1
                connection.close()
            await asyncio.sleep(0.2)

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(hold(number))


def http_request(method: str, path: str, *lines: str, body: bytes = b"", length: int | None = None) -> bytes:
    """Encode an HTTP/1.1 request to 127.0.0.1; `length` is a false Content-Length."""
    head = [f"{method} {path} HTTP/1.1", "Host: 127.0.0.1", *lines]
    if body or length is not None:
        head.append(f"Content-Length: {len(body) if length is None else length}")
    return "".join(f"{line}\r\n" for line in head).encode("latin-1") + b"\r\n" + body
