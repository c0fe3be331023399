"""A meter with a PM-store on a real TCP link, which reconnects and associates again whenever its link ends."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import connect_tcp
from protocols.ieee11073.association.agent import AgentAssociation
from protocols.ieee11073.association.agent_events import ReportAccepted, SegmentSent
from protocols.ieee11073.association.agent_pm_store import AgentPmStore, Memory
from protocols.ieee11073.association.events import Event
from protocols.ieee11073.association.settings import AgentSettings
from protocols.ieee11073.association.states import State
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.reports import Reading, fixed_report
from tests.builders.memory_devices import METER, STORE, minute
from tests.harness.cut_link import Cut, CutLink
from tests.harness.eventually import WITHIN_S, eventually

AGAIN_S = 0.05
TO_ASSOC_S = WITHIN_S
"""A gateway process that has just started may accept the link seconds later. If the association request were repeated
meanwhile, the gateway would get both and abort the association, and the link would stay open without one."""


class Meter:
    """A meter that reconnects for ever. `heard` are the events of all its associations; `cut` ends its first link
    early."""

    def __init__(
        self,
        address: tuple[str, int],
        memory: Memory,
        system_id: bytes,
        *,
        configuration: Configuration = METER,
        cut: Cut | None = None,
    ) -> None:
        self._address = address
        self._memory = memory
        self.system_id = system_id.hex()
        self._octets = system_id
        self._configuration = configuration
        self._cut = cut
        self.link: CutLink | None = None
        """The first link, if `cut` is given."""
        self._clock = SystemClock()
        self._nudge = Nudge()
        self._association: AgentAssociation | None = None
        self._link: Link | None = None
        self.heard: list[Event] = []

    async def run(self) -> None:
        """Connect, associate and serve the PM-store until the link ends, and repeat this until cancelled."""
        while True:
            with suppress(OSError):
                await self._converse(await self._connect())
            await asyncio.sleep(AGAIN_S)

    async def _connect(self) -> Link:
        """Open a new link; the cut applies only to the first one."""
        link, cut, self._cut = await connect_tcp(*self._address), self._cut, None
        if cut is None:
            return link
        self.link = CutLink(link, cut)
        return self.link

    async def _converse(self, link: Link) -> None:
        store = AgentPmStore(STORE, self._memory, entries_per_event=2)
        association = self._association = AgentAssociation(
            system_id=self._octets,
            configurations=[self._configuration],
            services=[store],
            settings=AgentSettings(to_assoc_s=TO_ASSOC_S),
        )
        self._link = link
        association.associate(self._clock.monotonic_s())
        try:
            await pump(link, association, self._hear, self._clock, nudge=self._nudge)
        finally:
            self._association = None
            await link.close()

    async def _hear(self, events: Sequence[Event], instant: Instant) -> Sequence[bool]:
        self.heard.extend(events)
        return [True] * len(events)

    @property
    def operating(self) -> bool:
        return self._association is not None and self._association.state is State.OPERATING

    @property
    def sent_whole(self) -> list[int]:
        """Return the segment number of each transfer whose last entry the manager confirmed, in the order of the
        transfers."""
        return [event.segment for event in self.heard if isinstance(event, SegmentSent) and event.whole]

    async def report(self, at_minute: int, value: float) -> None:
        """Send one live value in a confirmed report, and wait for the report's acknowledgement."""
        await eventually(lambda: self.operating and self._association is not None and self._association.can_confirm)
        assert self._association is not None
        answered = sum(isinstance(event, ReportAccepted) for event in self.heard)
        report = fixed_report(self._configuration, [Reading(1, value, minute(at_minute))])
        self._association.report(report, confirmed=True, now_s=self._clock.monotonic_s())
        self._nudge()
        await eventually(lambda: sum(isinstance(event, ReportAccepted) for event in self.heard) > answered)

    async def unplug(self) -> None:
        """Close the link; the meter reconnects after 50 ms."""
        if self._link is not None:
            await self._link.close()


@asynccontextmanager
async def meter(
    address: tuple[str, int],
    memory: Memory,
    system_id: bytes = bytes.fromhex("11223344556600AA"),
    *,
    configuration: Configuration = METER,
    cut: Cut | None = None,
) -> AsyncIterator[Meter]:
    """Run a meter until the block ends; `cut` ends its first link early."""
    made = Meter(address, memory, system_id, configuration=configuration, cut=cut)
    running = asyncio.create_task(made.run())
    try:
        yield made
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
