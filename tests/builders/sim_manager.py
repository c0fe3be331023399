"""A manager on the loopback address for simulated devices: the real listener, pump and association, with a list as the
store.

A test can cut `SimManager` off like a killed gateway (`kill`: every link ends without an abort, and no further response
is sent), start it again at the same address, make its store full (`full`), and delay its responses (`answering`).
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

from gateway.transports.clock import Instant, SystemClock
from gateway.transports.link import Link
from gateway.transports.pump import Nudge, pump
from gateway.transports.tcp import TcpListener
from protocols.framing.apdu_stream import ApduStream
from protocols.ieee11073.apdu import MessageTag, Prst, decode_apdu, decode_data, encode_apdu, encode_data
from protocols.ieee11073.apdu.association import (
    DATA_PROTO_20601,
    ENCODING_MDER,
    SYSTEM_TYPE_MANAGER,
    VERSION_1,
    Aare,
    Aarq,
    AssociateResult,
    DataProto,
    PhdAssociationInformation,
)
from protocols.ieee11073.apdu.data import EventReportResult, EventType, RejectProblem, RejectResult
from protocols.ieee11073.association.configurations import RememberedConfigurations
from protocols.ieee11073.association.events import Event, Released
from protocols.ieee11073.association.manager import ManagerAssociation
from protocols.ieee11073.association.manager_events import MdsRead, ReportReceived
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.ieee11073.mder import encode
from protocols.observation import Observation


class SimManager:
    """A manager that keeps observations in the list `stored`, in place of a store. `events` are the events of all
    links, in order."""

    def __init__(self, *, accept_standard_configurations: bool = True, settings: ManagerSettings | None = None) -> None:
        self.events: list[Event] = []
        self.stored: list[Observation] = []
        self.confirmed = 0
        self.unconfirmed = 0
        self.full = False
        self.mute = False
        """If true, a new link is accepted, but nothing is sent on it."""
        self.connections = 0
        self.answering = asyncio.Event()
        self.answering.set()
        self._association: ManagerAssociation | None = None
        self._nudge = Nudge()
        self._settings = settings or ManagerSettings(accept_standard_configurations=accept_standard_configurations)
        self._configurations = RememberedConfigurations()
        self._clock = SystemClock()
        self._listener: TcpListener | None = None
        self._serving: asyncio.Task[None] | None = None
        self._links: list[Link] = []
        self.address = ("127.0.0.1", 0)

    async def start(self) -> None:
        """Start listening; after a `kill`, at the same address as before."""
        self._listener = TcpListener(*self.address)
        await self._listener.start()
        self.address = self._listener.address
        self._serving = asyncio.create_task(self._serve(self._listener))

    async def kill(self) -> None:
        """Close the listener and every link at once, as SIGKILL does; pending responses are never sent."""
        assert self._listener is not None
        assert self._serving is not None
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving
        await self._listener.close()
        for link in self._links:
            await link.close()
        self._links.clear()

    async def converse(self, link: Link) -> None:
        """Run one association on the link until it ends."""
        association = self._association = ManagerAssociation(
            system_id=b"a-manager"[:8], configurations=self._configurations, settings=self._settings
        )
        self._links.append(link)
        self.connections += 1
        if self.mute:
            while await link.receive():
                pass
            return
        await pump(link, association, self._deliver, self._clock, nudge=self._nudge)
        await link.close()

    def command(self, give: Callable[[ManagerAssociation, float], object]) -> None:
        """Call `give` with the association of the latest link and the present time, and send the bytes that the call
        queues."""
        assert self._association is not None
        give(self._association, self._clock.monotonic_s())
        self._nudge()

    def heard(self, kind: type[Event]) -> int:
        return sum(isinstance(event, kind) for event in self.events)

    @property
    def released(self) -> bool:
        return self.heard(Released) > 0

    @property
    def models(self) -> list[str]:
        return [event.identity.model for event in self.events if isinstance(event, MdsRead)]

    async def _serve(self, listener: TcpListener) -> None:
        async with asyncio.TaskGroup() as tasks:
            while True:
                tasks.create_task(self.converse(await listener.accept()))

    async def _deliver(self, events: Sequence[Event], at: Instant) -> Sequence[bool]:
        verdicts = []
        for event in events:
            self.events.append(event)
            durable = not isinstance(event, ReportReceived) or not self.full
            verdicts.append(durable)
            if isinstance(event, ReportReceived) and durable:
                self.stored.extend(event.observations)
                if event.confirmed:
                    self.confirmed += event.reports
                else:
                    self.unconfirmed += event.reports
        await self.answering.wait()
        return verdicts


async def contrary_manager(link: Link, problems: Sequence[int | None]) -> None:
    """Act as a manager that accepts every association and rejects some confirmed reports.

    Report number n gets a RORJ with the n-th of `problems`, or a normal response (RORS) if the n-th is None or absent.
    """
    stream, answered = ApduStream(), 0
    while data := await link.receive():
        for octets in stream.feed(data):
            apdu = decode_apdu(octets)
            if isinstance(apdu, Aarq):
                info = PhdAssociationInformation(
                    VERSION_1, ENCODING_MDER, VERSION_1, 0, SYSTEM_TYPE_MANAGER, b"contrary", 0, 0, 0, 0, ()
                )
                await link.send(encode_apdu(Aare(AssociateResult.ACCEPTED, DataProto(DATA_PROTO_20601, encode(info)))))
            elif isinstance(apdu, Prst):
                request = decode_data(apdu.data)
                problem = problems[answered] if answered < len(problems) else None
                answered += 1
                if problem is None:
                    result = EventReportResult(0, 0, EventType.SCAN_REPORT_VAR, b"")
                    await link.send(encode_data(request.invoke_id, MessageTag.EVENT_REPORT_RESULT, result))
                else:
                    rejected = RejectResult(RejectProblem(problem))
                    await link.send(encode_data(request.invoke_id, MessageTag.REJECT, rejected))


@asynccontextmanager
async def sim_manager(
    *, accept_standard_configurations: bool = True, settings: ManagerSettings | None = None
) -> AsyncIterator[SimManager]:
    manager = SimManager(accept_standard_configurations=accept_standard_configurations, settings=settings)
    await manager.start()
    try:
        yield manager
    finally:
        await manager.kill()


def measurements(stored: Sequence[Observation]) -> list[tuple[int, str]]:
    """Return (handle, device time) of each observation in the order of storage. The pair identifies a measurement of
    one device."""
    return [(seen.channel.handle, "" if seen.device_time is None else seen.device_time.text()) for seen in stored]
