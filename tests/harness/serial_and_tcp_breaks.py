"""Devices whose links break repeatedly, in every way that a script can produce, and which then reconnect.

In each round the device connects, associates and measures, and its link breaks: while idle, in the middle of a message,
with an unacknowledged report, after an orderly release, or by a TCP reset. The next round begins at once. The links are
real, and the agent is the project's own. The order of the breaks is chosen by a seeded generator.
"""

import asyncio
import gc
import random
import socket
import struct
import tracemalloc
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from gateway.transports.clock import SystemClock
from gateway.transports.link import Link
from gateway.transports.tcp import TcpLink
from tests.builders.gateway_device import device_id, device_on
from tests.builders.gateway_sessions import Sessions
from tests.harness.eventually import eventually
from tests.harness.process_figures import descriptors
from tests.harness.serial_socket import SerialSocket

HALF_A_MESSAGE = b"\xe7\x00\x00\x40\x00\x3e half a report"
RESET = "reset by the network"
WAYS = ("while nothing happens", "in the middle of a message", "with a report under way", "after a release")
_LINGER_NONE = struct.pack("ii", 1, 0)
UNHEARD = -1.0
"""The value of a report whose acknowledgement the device never receives: it may be stored or not."""
VALUES = 1000
"""The value of any other report is the number of its round modulo VALUES."""


@dataclass(slots=True)
class Breaks:
    """The results of one device's rounds.

    `back_s` is, for each round, the time from the connection of the link until the device is associated.
    """

    number: int
    back_s: list[float] = field(default_factory=list)
    measured: list[float] = field(default_factory=list)
    """Every acknowledged value, in order."""


_OF_THE_TESTS = (tracemalloc.Filter(False, "*/tests/*"), tracemalloc.Filter(False, tracemalloc.__file__))


@dataclass(frozen=True, slots=True)
class Held:
    """Resources of this process: tasks of the loop, descriptors, and memory allocated by Python.

    Allocations by the tests are left out, because the tests' own lists grow with every round.
    """

    tasks: int
    descriptors: int
    allocated: tracemalloc.Snapshot

    @property
    def octets(self) -> int:
        return sum(each.size for each in self.allocated.statistics("filename"))

    def more_than(self, before: "Held", count: int = 8) -> str:
        """Return the `count` code places whose memory grew most since `before`, one a line, for a failure message."""
        return "\n".join(str(each) for each in self.allocated.compare_to(before.allocated, "lineno")[:count])


async def held(gateway: Sessions) -> Held:
    """Measure the resources once the sessions of all broken links have ended. Tracemalloc must be tracing."""
    await eventually(lambda: not any(each.device for each in gateway.supervisor.sessions), what="no device is there")
    for _ in range(3):  # what one collection frees may hold more
        gc.collect()
    allocated = tracemalloc.take_snapshot().filter_traces(_OF_THE_TESTS)
    return Held(len(asyncio.all_tasks()), descriptors(), allocated)


async def acknowledged_values(gateway: Sessions, number: int) -> list[float]:
    """Return the stored values of a device, without those whose acknowledgement the device never received."""
    values = [each.value for each in await gateway.stored() if each.device.system_id == device_id(number).hex()]
    return [value for value in values if isinstance(value, float) and value != UNHEARD]


async def break_serial(at: SerialSocket, breaks: Breaks, rounds: int, dice: random.Random) -> None:
    """Plug a device into a serial socket and break its link, `rounds` times."""
    for _ in range(rounds):
        line = await at.plug_in()

        async def pull(line: Link = line) -> None:
            at.pull_out(name_stays=dice.random() < 0.5)
            await line.close()

        await _round(line, breaks, dice.choice(WAYS), pull)


async def break_tcp(address: tuple[str, int], breaks: Breaks, rounds: int, dice: random.Random) -> None:
    """Connect a device over TCP and break its link, `rounds` times, each time on a new connection."""
    for _ in range(rounds):
        way = dice.choice((*WAYS, RESET))
        connection, link = await _connected(address)

        async def cut(link: Link = link, connection: socket.socket = connection, reset: bool = way == RESET) -> None:
            if reset:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NONE)
            await link.close()

        await _round(link, breaks, way, cut)


async def _connected(address: tuple[str, int]) -> tuple[socket.socket, Link]:
    """Connect over TCP; return the socket and the link on it."""
    loop = asyncio.get_running_loop()
    connection = socket.socket()
    connection.setblocking(False)
    await loop.sock_connect(connection, address)
    _, link = await loop.create_connection(TcpLink, sock=connection)
    return connection, link


async def _round(link: Link, breaks: Breaks, way: str, cut: Callable[[], Awaitable[None]]) -> None:
    clock = SystemClock()
    there_s = clock.monotonic_s()
    async with device_on(link, breaks.number) as device:
        breaks.back_s.append(clock.monotonic_s() - there_s)
        assert device.operating, f"device {breaks.number} was turned away"
        value = float(len(breaks.back_s) % VALUES)
        assert await device.measure(value) == "answered"
        breaks.measured.append(value)
        match way:
            case "in the middle of a message":
                await link.send(HALF_A_MESSAGE)
            case "with a report under way":
                await device.report_unheard(UNHEARD, second=len(breaks.back_s) % 60)
            case "after a release":
                await device.leave()
        await cut()
