"""The radio's control socket: list stations, and inject faults on command. For tests, demos and people at a keyboard.

Each request is one JSON line, and so is each response: {"ask": "list"}, {"ask": "drop", "address": …}, {"ask":
"silence", "address": …, "on": true}, {"ask": "rssi", "address": …, "dbm": −80}, {"ask": "stats"}, {"ask": "vhci", "on":
false} (remove or restore the adapter of the guest). The response to a request that cannot be served is {"error": …};
the radio continues.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

from simulators.ble.ether import Ether, NoSuchStation
from simulators.ble.link_layer import LinkLayer

LINE_BYTES_MAX = 4096
ASKERS_MAX = 8
# An idle client is disconnected so that another can connect.
_IDLE_S = 60.0
# A response lists a few hundred stations at most.
_ANSWER_BYTES_MAX = 1 << 20
_ANSWER_S = 5.0

Question: TypeAlias = Mapping[str, Any]
Answer: TypeAlias = dict[str, Any]
PlugVhci: TypeAlias = Callable[[bool], Awaitable[None]]


class ControlRefused(Exception):
    """The question cannot be answered; the text says why."""


async def request(control: Path, question: str, **details: Any) -> Answer:
    """Send a request to a radio process. Raises ControlRefused, OSError, TimeoutError."""
    async with asyncio.timeout(_ANSWER_S):
        reader, writer = await asyncio.open_unix_connection(str(control), limit=_ANSWER_BYTES_MAX)
        try:
            writer.write(json.dumps({"ask": question, **details}).encode() + b"\n")
            line = await reader.readline()
        finally:
            writer.close()
    if not line:
        raise ControlRefused("the radio has hung up; too many ask at once")
    answer: Answer = json.loads(line)
    if "error" in answer:
        raise ControlRefused(str(answer["error"]))
    return answer


class RadioControl:
    """Serves requests about one ether. `plug_vhci` None: this radio has no adapter for a kernel."""

    def __init__(self, ether: Ether, plug_vhci: PlugVhci | None = None) -> None:
        self._ether = ether
        self._plug_vhci = plug_vhci
        self._askers: set[asyncio.StreamWriter] = set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one client until it disconnects."""
        if len(self._askers) >= ASKERS_MAX:
            writer.close()
            return
        self._askers.add(writer)
        try:
            while True:
                async with asyncio.timeout(_IDLE_S):
                    line = await reader.readline()
                if not line:
                    return
                writer.write(json.dumps(await self.respond(line)).encode() + b"\n")
                async with asyncio.timeout(_ANSWER_S):
                    await writer.drain()
        except (OSError, TimeoutError, ValueError):
            return  # disconnected, idle, not reading, or a line that is too long
        finally:
            self._askers.discard(writer)
            writer.close()

    def hang_up(self) -> None:
        """Disconnect all clients."""
        for writer in list(self._askers):
            writer.close()

    async def respond(self, line: bytes) -> Answer:
        """Return the response to this line."""
        try:
            question = json.loads(line)
            if not isinstance(question, dict):
                raise ControlRefused("a question is a JSON object")
            return await self._execute(question)
        except (ControlRefused, NoSuchStation, ValueError) as error:
            return {"error": str(error)}

    async def _execute(self, question: Question) -> Answer:
        match question.get("ask"):
            case "list":
                return {"stations": [_described(station) for station in self._ether.stations]}
            case "drop":
                return {"links": self._ether.drop(_text(question, "address"))}
            case "silence":
                self._ether.silence(_text(question, "address"), _flag(question, "on"))
            case "rssi":
                self._ether.rssi(_text(question, "address"), _number(question, "dbm"))
            case "stats":
                counts = dict(sorted(self._ether.counts.items()))
                return {"controllers": len(self._ether.stations), "links": len(self._ether.links()), "counts": counts}
            case "vhci":
                if self._plug_vhci is None:
                    raise ControlRefused("this radio has no adapter for a kernel; start it with --vhci")
                await self._plug_vhci(_flag(question, "on"))
            case unknown:
                raise ControlRefused(f"{unknown!r} is no question; ask list, drop, silence, rssi, stats or vhci")
        return {"done": True}


def _described(station: LinkLayer) -> Answer:
    return {
        "address": station.used_address,
        "name": station.name,
        "advertising": station.le_legacy_advertiser.enabled,
        "scanning": station.le_scan_enable,
        "silent": station.silent,
        "rssi_dbm": station.rssi_dbm,
        "links": [end.peer_address.to_string(False) for end in station.link_ends()],
    }


def _text(question: Question, name: str) -> str:
    value = question.get(name)
    if not isinstance(value, str):
        raise ControlRefused(f"{name!r} is missing or no text")
    return value


def _flag(question: Question, name: str) -> bool:
    value = question.get(name)
    if not isinstance(value, bool):
        raise ControlRefused(f"{name!r} is missing or neither true nor false")
    return value


def _number(question: Question, name: str) -> int:
    value = question.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ControlRefused(f"{name!r} is missing or no whole number")
    return value
