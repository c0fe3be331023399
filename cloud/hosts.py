"""The listeners of the four hosts (design D8): each host on its own address (development), or all on one (production).

The `HostRouter` of an address chooses the host of a request, or refuses an unknown host name with 421. When the server
stops, it finishes the requests in flight.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

import structlog
from aiohttp import web

from cloud.foundation.errors import PrivateError
from cloud.foundation.http import (
    ACCEPTED_S,
    SHUTDOWN_S,
    EdgeServer,
    HostRouter,
    Pipeline,
    Site,
    connections_allowed,
    listening_server,
)
from cloud.foundation.settings import Address

log = structlog.get_logger()

# Connections that the system completes before the process accepts them; a burst of clients must not be refused.
BACKLOG = 1024


class AddressTaken(PrivateError, code="address_taken"):
    """The address to listen on is in use by another program, or is not an address of this machine."""


class HostServer:
    """The servers of all hosts, one for each listening address, each with a pipeline from `make_pipeline`."""

    def __init__(self, hosts: Sequence[tuple[Site, Address]], make_pipeline: Callable[[HostRouter], Pipeline]) -> None:
        self._hosts = hosts
        self._make_pipeline = make_pipeline
        self._runners: list[web.ServerRunner] = []
        self._servers: list[EdgeServer] = []
        self._listeners: list[tuple[EdgeServer, web.TCPSite]] = []
        self.addresses: dict[str, Address] = {}

    async def start(self) -> Mapping[str, Address]:
        """Start to listen; return a dict that maps the name of each host to its address, with the real port where the
        setting has 0. Raises `AddressTaken`."""
        by_address: dict[Address, list[tuple[Site, Address]]] = {}
        for site, listen in self._hosts:
            # A port of 0 becomes a different port for each host.
            key = listen if listen.port else Address(f"{listen.host}#{site.host}", 0)
            by_address.setdefault(key, []).append((site, listen))
        share = connections_allowed() // max(1, len(by_address))
        for hosts in by_address.values():
            await self._listen([site for site, _ in hosts], hosts[0][1], share)
        return self.addresses

    async def _listen(self, sites: Sequence[Site], listen: Address, connections_max: int) -> None:
        server = EdgeServer(self._make_pipeline(HostRouter(sites)), connections_max=connections_max)
        runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=SHUTDOWN_S)
        await runner.setup()
        self._runners.append(runner)
        self._servers.append(server)
        listener = web.TCPSite(runner, listen.host, listen.port, backlog=BACKLOG)
        try:
            await listener.start()
        except OSError as error:
            await self._close()
            raise AddressTaken(f"({listen}: {error.strerror})") from None
        self._listeners.append((server, listener))
        server.look_after()
        port = int(runner.addresses[0][1])
        for site in sites:
            self.addresses[site.host.value] = Address(listen.host, port)
            log.info("host.listening", host=site.host.value, address=str(self.addresses[site.host.value]))

    async def stop(self) -> None:
        """Close each connection after its next response, close the listeners, then finish the requests in flight."""
        await asyncio.gather(*(server.drain() for server in self._servers))
        await self._close_listeners()
        await self._close()

    async def _close_listeners(self) -> None:
        """Close the listeners without losing connections that the kernel has completed. Closing a socket drops the
        connections in its queue, so they are accepted from a copy of the socket, after the original is closed."""
        listeners, self._listeners = self._listeners, []
        loop = asyncio.get_running_loop()
        for _, listener in listeners:
            for listening in listening_server(listener).sockets:
                loop.remove_reader(listening.fileno())
        # Let asyncio set up the connections that it has accepted: after `close` it would drop them.
        await asyncio.sleep(ACCEPTED_S)
        taken: list[tuple[EdgeServer, socket.socket]] = []
        for server, listener in listeners:
            accepting = listening_server(listener)
            copies = [listening.dup() for listening in accepting.sockets]
            accepting.close()
            for copy in copies:
                copy.setblocking(False)
                with copy, suppress(OSError):  # BlockingIOError: the queue is empty
                    while True:
                        taken.append((server, copy.accept()[0]))
        for server, connection in taken:
            connection.setblocking(False)
            with suppress(OSError):  # the client has disconnected
                await loop.connect_accepted_socket(server, connection)

    async def _close(self) -> None:
        runners, self._runners = self._runners, []
        servers, self._servers = self._servers, []
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        for server in servers:
            server.close()
