"""`ble.notifications` and `latency.device_to_screen`: the rate of Bluetooth values, and a value's delay up to the page.

Notifications: a pulse oximeter's continuous values (saturation, pulse rate, two statuses), all different, as fast as
the gateway accepts them. Each value is queued as the stack's callback queues it, decoded by the session, given a time
by the session's clock, committed (synchronous=FULL), and shown. Values that are queued when the session wakes up share
a commit. The store's writer is a second thread of the same process. The reference is a loop over the same bytes, as in
the other benchmarks that decode.

Latency: one value every 10 ms, as eight devices with a dozen values a second each would send. It is measured from the
value's arrival at the stack's callback to its arrival, after the commit, at a subscriber of the live feed.
"""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

from gateway.buffer import BufferSettings
from gateway.transports.clock import SystemClock
from protocols.ble.pulse_oximeter import PLX_CONTINUOUS, OximeterReading, PlxContinuous, encode_continuous
from protocols.ble.uuids import PULSE_OXIMETER
from tests.bench.frame import Figure
from tests.builders.gatt_devices import device
from tests.builders.gatt_sessions import GattGateway, gatt_gateway
from tests.harness.eventually import eventually
from tests.harness.gatt_peer import GattPeer

Run = Callable[[], int]

NOTIFICATIONS = 20_000
AT_ONCE = 32
"""The most values that a stack delivers in one pass of the event loop."""
QUEUE_ROOM = 2_048
LATENCIES = 1_000
EVERY_S = 0.01
NAMES = ("latency.device_to_screen",)


def notifications() -> list[bytes]:
    dice = random.Random(5)
    return [
        encode_continuous(
            PlxContinuous(
                normal=OximeterReading(float(dice.randrange(80, 100)), float(dice.randrange(40, 180))),
                measurement_status=dice.choice((0x0020, 0x0120)),
                device_status=dice.randrange(16),
            )
        )
        for _ in range(NOTIFICATIONS)
    ]


class _Served:
    """A gateway with a connected oximeter, open until `close`."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._stack = AsyncExitStack()
        self.peer: GattPeer
        self.gateway: GattGateway
        self._runner.run(self._open())

    def run(self, story: object) -> object:
        return self._runner.run(story)  # type: ignore[arg-type]  # a coroutine of this module

    async def _open(self) -> None:
        folder = Path(tempfile.mkdtemp(prefix="argus-bench-"))
        self.gateway = await self._stack.enter_async_context(
            gatt_gateway(folder, store_settings=BufferSettings(), real_time=True)
        )
        self.peer = device(SystemClock(), model="Oximeter")
        self.peer.sends.add((PULSE_OXIMETER, PLX_CONTINUOUS))
        self.session = self.gateway.session(self.peer)
        await self.gateway.serving(self.session)

    def close(self) -> None:
        self._runner.run(self._stack.aclose())
        self._runner.close()

    async def send(self, values: list[bytes]) -> int:
        """Send all values as fast as the session accepts them, wait until the last is durable, and return their
        number."""
        due = self.session.counts.reports + len(values)
        for at in range(0, len(values), AT_ONCE):
            for octets in values[at : at + AT_ONCE]:
                self.peer.send(PULSE_OXIMETER, PLX_CONTINUOUS, octets)
            await asyncio.sleep(0)
            await self._taken(due - len(values) + at - QUEUE_ROOM)
        await self._taken(due)
        assert not self.session.counts.lost
        return len(values)

    async def _taken(self, reports: int) -> None:
        await eventually(lambda: self.session.counts.reports >= reports, within_s=60, poll_s=0.001)

    async def latencies_ms(self, values: list[bytes]) -> list[float]:
        found: list[float] = []
        with self.gateway.context.live.subscribe() as updates:
            sending = asyncio.create_task(self._send_slowly(values))
            async for update in updates:
                found += [1000 * (time.monotonic() - each.received_s) for each in update.observations]
                if sending.done() and len(found) >= len(values):
                    return found
        return found

    async def _send_slowly(self, values: list[bytes]) -> None:
        for octets in values:
            self.peer.send(PULSE_OXIMETER, PLX_CONTINUOUS, octets)
            await asyncio.sleep(EVERY_S)
        self.peer.send(PULSE_OXIMETER, PLX_CONTINUOUS, values[0])


def measure_notifications() -> tuple[Run, Run]:
    """Return two runs: notifications decoded and made durable, and a loop over their bytes."""
    values = notifications()
    served = _Served()
    octets = b"".join(values)

    def ours() -> int:
        count = served.run(served.send(values))
        assert isinstance(count, int)
        return count

    def reference() -> int:
        x = 0
        for b in octets:
            x += b & 3
        return len(values)

    return ours, reference


def measure_latency() -> Figure:
    served = _Served()
    try:
        found = served.run(served.latencies_ms(notifications()[:LATENCIES]))
    finally:
        served.close()
    assert isinstance(found, list)
    ordered = sorted(found)
    p50, p99 = ordered[len(ordered) // 2], ordered[int(len(ordered) * 0.99)]
    return Figure(
        name=NAMES[0],
        value=p50,
        unit="ms (p50; spread: p50 and p99)",
        reference=None,
        reference_is="–",
        ratio=None,
        spread=(p50, p99),
        runs=1,
    )
