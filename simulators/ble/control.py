"""Control socket of the radio: lists the hosts on the radio and injects faults, for tests, demos and people.

Requests and responses are one JSON line each:

- `{"ask": "list"}`: list the hosts with their links;
- `{"ask": "drop", "address": …}`: break all links of a device;
- `{"ask": "silence", "address": …, "on": true}`: put a device out of range, or back in range;
- `{"ask": "rssi", "address": …, "dbm": −80}`: set a device's signal strength;
- `{"ask": "stats"}`: return counts of the radio;
- `{"ask": "vhci", "on": false}`: remove or restore the adapter of this machine's kernel.

The response to a request that cannot be carried out is `{"error": …}`, and the radio continues.
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
    """Server of control requests for one simulated radio (`ether`). The function `plug_vhci` adds or removes the
    kernel's Bluetooth adapter; it is None if the radio has no such adapter."""

    def __init__(self, ether: Ether, plug_vhci: PlugVhci | None = None) -> None:
        self._ether = ether
        self._plug_vhci = plug_vhci
        self._clients: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Respond to the requests of one client until it disconnects or is idle for too long."""
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
        for writer in list(self._clients):
            writer.close()

    async def respond(self, line: bytes) -> Reply:
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
