"""A monitor with a periodic scanner, which reports a heart rate every 0.1 s once the manager has enabled the
scanner.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Event, Link
from gateway.transports.pump import Nudge, pump
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric, periodic_scanner
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.gateway_device import device_id
from tests.builders.ieee11073_devices import BPM, HEART_RATE
from tests.harness.eventually import eventually

INTERVAL_S = 0.1
SCANNER = 3
_RATE = numeric(1, HEART_RATE, BPM)
CONFIGURATION = Configuration(0x4012, (_RATE, periodic_scanner(SCANNER, (_RATE,), interval_s=INTERVAL_S)))


class StreamingDevice:
    """A device that sends reports while `streams` is set, and responds to requests while its task `answering` runs."""

    def __init__(self, link: Link, number: int) -> None:
        self.link = link
        self.streams = True
        self._clock = SystemClock()
        self._nudge = Nudge()
        self._association = AgentAssociation(system_id=device_id(number), configurations=[CONFIGURATION])
        self.answering: asyncio.Task[bool] = asyncio.create_task(
            pump(link, self._association, self._hear, self._clock, nudge=self._nudge)
        )

    async def stream(self) -> None:
        """Associate, wait until the scanner is enabled, and send reports until cancelled."""
        self._association.associate(self._clock.monotonic_s())
        self._nudge()
        await eventually(lambda: self._association.scanner_enabled(SCANNER), what="the scanner is enabled")
        while True:
            if self.streams:
                report = fixed_report(CONFIGURATION, [Reading(1, 70.0)], scanner=SCANNER)
                self._association.report(report, confirmed=False, now_s=self._clock.monotonic_s())
                self._nudge()
            await self._clock.sleep_until(self._clock.monotonic_s() + INTERVAL_S)

    async def go_dead(self) -> None:
        """Stop sending and responding, and leave the link open, as if a plug behind the serial adapter were pulled."""
        self.streams = False
        self.answering.cancel()
        await asyncio.gather(self.answering, return_exceptions=True)

    async def _hear(self, events: Sequence[Event], at: Instant) -> Sequence[bool]:
        return [True] * len(events)


@asynccontextmanager
async def streaming_device(link: Link, number: int = 1) -> AsyncIterator[StreamingDevice]:
    """Run a streaming device on the link until the block ends; the link stays open."""
    made = StreamingDevice(link, number)
    streaming = asyncio.create_task(made.stream())
    try:
        yield made
    finally:
        for task in (streaming, made.answering):
            task.cancel()
        await asyncio.gather(streaming, made.answering, return_exceptions=True)
