"""The radio's control socket: list stations, and inject faults on command. For tests, demos and people at a keyboard.

Each request is one JSON line, and so is each response: `{"ask": "list"}`, `{"ask": "drop", "address": …}`,
`{"ask": "silence", "address": …, "on": true}`, `{"ask": "rssi", "address": …, "dbm": −80}`, `{"ask": "stats"}`,
`{"ask": "vhci", "on": false}` (remove or restore the adapter of the guest). The response to a request that cannot be
served is `{"error": …}`; the radio continues.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeAlias, TypeVar

from simulators.ble.ether import Ether, NoSuchStation
from simulators.ble.link_layer import LinkLayer

LINE_BYTES_MAX = 4096
CLIENTS_MAX = 8
# An idle client is disconnected so that another can connect.
_IDLE_S = 60.0
_REPLY_S = 5.0

Request: TypeAlias = Mapping[str, Any]
Reply: TypeAlias = dict[str, Any]
T = TypeVar("T")
PlugVhci: TypeAlias = Callable[[bool], Awaitable[None]]


class ControlRefused(Exception):
    """The request cannot be served; the text has the reason."""


class RadioControl:
    """Serves requests about one ether. `plug_vhci` None: this radio has no adapter for a kernel."""

    def __init__(self, ether: Ether, plug_vhci: PlugVhci | None = None) -> None:
        self._ether = ether
        self._plug_vhci = plug_vhci
        self._clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it disconnects."""
        if len(self._clients) >= CLIENTS_MAX:
            writer.close()
            return
        self._clients.add(writer)
        try:
            while True:
                async with asyncio.timeout(_IDLE_S):
                    line = await reader.readline()
                if not line:
                    return
                writer.write(json.dumps(await self.respond(line)).encode() + b"\n")
                async with asyncio.timeout(_REPLY_S):
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return  # disconnected, idle, not reading, or a line that is too long
        finally:
            self._clients.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Disconnect all clients."""
        for writer in list(self._clients):
            writer.close()

    async def respond(self, line: bytes) -> Reply:
        """Return the response to this line."""
        try:
            request = json.loads(line)
            if not isinstance(request, dict):
                raise ControlRefused("a request is a JSON object")
            return await self._execute(request)
        except (ControlRefused, NoSuchStation, ValueError) as error:
            return {"error": str(error)}

    async def _execute(self, request: Request) -> Reply:
        match request.get("ask"):
            case "list":
                return {"stations": [_described(station) for station in self._ether.stations]}
            case "drop":
                return {"links": self._ether.drop(_address(request))}
            case "silence":
                self._ether.silence(_address(request), _on(request))
            case "rssi":
                self._ether.rssi(_address(request), _field(request, "dbm", int, "no whole number"))
            case "stats":
                counts = dict(sorted(self._ether.counts.items()))
                return {"controllers": len(self._ether.stations), "links": len(self._ether.links()), "counts": counts}
            case "vhci":
                if self._plug_vhci is None:
                    raise ControlRefused("this radio has no adapter for a kernel; start it with --vhci")
                await self._plug_vhci(_on(request))
            case unknown:
                raise ControlRefused(f"{unknown!r} is no request; there are list, drop, silence, rssi, stats and vhci")
        return {"done": True}


def _described(station: LinkLayer) -> Reply:
    return {
        "address": station.used_address,
        "name": station.name,
        "advertising": station.le_legacy_advertiser.enabled,
        "scanning": station.le_scan_enable,
        "silent": station.silent,
        "rssi_dbm": station.rssi_dbm,
        "links": [end.peer_address.to_string(False) for end in station.link_ends()],
    }


def _field(request: Request, name: str, kind: type[T], expected: str) -> T:
    value = request.get(name)
    if type(value) is not kind:  # a bool is no number
        raise ControlRefused(f"{name!r} is missing or {expected}")
    return value


def _address(request: Request) -> str:
    return _field(request, "address", str, "no text")


def _on(request: Request) -> bool:
    return _field(request, "on", bool, "neither true nor false")
