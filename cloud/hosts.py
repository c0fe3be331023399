"""The listeners of the four hosts (D8): each on an address of its own (development) or sharing one (production).

Which host a request is for, and 421 for a name that is nobody's, is decided by the gate of its address (`http/site`).
Stopping cuts no request: first every answer says that it is the last one, then the doors close, then what is in hand
is finished.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import cast

import structlog
from aiohttp import web

from cloud.foundation.errors import PrivateError
from cloud.foundation.http import ACCEPTED_S, SHUTDOWN_S, EdgeServer, Gate, Pipeline, Site, connections_allowed
from cloud.foundation.settings import Address

log = structlog.get_logger()

# Connections that the system completes before we have looked at them; a burst of clients must not be refused.
BACKLOG = 1024


class AddressTaken(PrivateError):
    """The address to listen on is in use by another program, or is not an address of this machine."""

    code = "address_taken"


class HostServer:
    """Listens for all hosts. `make_pipeline` is called once for each listening address."""

    def __init__(self, hosts: Sequence[tuple[Site, Address]], make_pipeline: Callable[[Gate], Pipeline]) -> None:
        self._hosts = hosts
        self._make_pipeline = make_pipeline
        self._runners: list[web.ServerRunner] = []
        self._servers: list[EdgeServer] = []
        self._doors: list[tuple[EdgeServer, web.TCPSite]] = []
        self.addresses: dict[str, Address] = {}

    async def start(self) -> Mapping[str, Address]:
        """Listen; where each host now is (a port of 0 has become a real one). Raises `AddressTaken`."""
        by_address: dict[Address, list[tuple[Site, Address]]] = {}
        for site, listen in self._hosts:
            # A port of 0 is a different one for each host.
            key = listen if listen.port else Address(f"{listen.host}#{site.host}", 0)
            by_address.setdefault(key, []).append((site, listen))
        share = connections_allowed() // max(1, len(by_address))
        for hosts in by_address.values():
            await self._listen([site for site, _ in hosts], hosts[0][1], share)
        return self.addresses

    async def _listen(self, sites: Sequence[Site], listen: Address, connections_max: int) -> None:
        server = EdgeServer(self._make_pipeline(Gate(sites)), connections_max=connections_max)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        self._servers.append(server)
        door = web.TCPSite(runner, listen.host, listen.port, backlog=BACKLOG)
        try:
            await door.start()
        except OSError as error:
            await self._close()
            raise AddressTaken(f"({listen}: {error.strerror})") from None
        self._doors.append((server, door))
        server.look_after()
        port = int(runner.addresses[0][1])
        for site in sites:
            self.addresses[site.host.value] = Address(listen.host, port)
            log.info("host.listening", host=site.host.value, address=str(self.addresses[site.host.value]))

    async def stop(self) -> None:
        """Let in what is on its way, then accept nothing new, then let requests in flight end."""
        await asyncio.gather(*(server.drain() for server in self._servers))
        await self._shut_doors()
        await self._close()

    async def _shut_doors(self) -> None:
        """Accept nothing new, and lose nobody: the kernel has connections in a queue that asyncio did not ask for yet.

        A copy keeps the queue alive while asyncio closes its own; then it is emptied and closed in one go.
        """
        doors, self._doors = self._doors, []
        loop = asyncio.get_running_loop()
        for _, door in doors:
            for listener in _listening(door).sockets:
                loop.remove_reader(listener.fileno())
        # What asyncio has asked for already becomes a connection now; after `close` it would be dropped.
        await asyncio.sleep(ACCEPTED_S)
        taken: list[tuple[EdgeServer, socket.socket]] = []
        for server, door in doors:
            listening = _listening(door)
            copies = [listener.dup() for listener in listening.sockets]
            listening.close()
            for copy in copies:
                copy.setblocking(False)
                with copy, suppress(OSError):  # BlockingIOError: the queue is empty
                    while True:
                        taken.append((server, copy.accept()[0]))
        for server, connection in taken:
            connection.setblocking(False)
            with suppress(OSError):  # gone again
                await loop.connect_accepted_socket(server, connection)

    async def _close(self) -> None:
        runners, self._runners = self._runners, []
        servers, self._servers = self._servers, []
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        for server in servers:
            server.close()


def _listening(door: web.TCPSite) -> asyncio.Server:
    """asyncio's own server behind a site of aiohttp."""
    return cast(asyncio.Server, door._server)
