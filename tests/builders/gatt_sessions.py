"""GATT sessions as the gateway runs them, with a real store, with devices in memory, and with a clock that the test
moves.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings
from gateway.buffer.ble_devices import PairedDevice
from gateway.buffer.errors import StoreFull
from gateway.buffer.record_marks import FetchedRecords
from gateway.live import LiveFeed
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.policy import ClockPolicy, ClockRules
from gateway.sessions.clocks.trusted_clock import TrustedClock
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Claims
from gateway.sessions.devices.description_reporter import DescriptionReporter
from gateway.sessions.devices.roster import Roster
from gateway.sessions.gatt.context import GattContext
from gateway.sessions.gatt.record_fetching import FetchRules
from gateway.sessions.gatt.record_marks import RecordMarks
from gateway.sessions.gatt.session import GattSession
from gateway.sessions.gatt.supervisor import BleSupervisor
from gateway.sessions.journal import Journal
from gateway.sessions.tracing import Taps
from gateway.transports.ble.central import BleCentral
from gateway.transports.ble.connection import BleConnection
from gateway.transports.ble.faults import BleUnreachable
from gateway.transports.clock import SystemClock
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.observation_record import ObservationRecord
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from protocols.uplink.status import StoreState
from tests.builders.buffer_observations import section, waveform
from tests.builders.buffer_store import QUICK, new_store, opened, whole_lane
from tests.harness.eventually import WITHIN_S, eventually
from tests.harness.gatt_peer import GattPeer, PeerLink
from tests.harness.moved_clock import MovedClock


def paired(peer: GattPeer, *, bonded: bool = True, system_id: str = "", at_us: int = 0) -> PairedDevice:
    return PairedDevice(address=peer.address, name="", system_id=system_id, bonded=bonded, paired_us=at_us, services=())


@dataclass
class Trust:
    """The paired devices, in place of the gateway's register. `met` has a pair (address, System ID) for each device
    that a session reported."""

    paired: list[PairedDevice] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    met: list[tuple[str, str]] = field(default_factory=list)

    def devices(self) -> list[PairedDevice]:
        return list(self.paired)

    def wait_for_change(self) -> asyncio.Event:
        return self.changed

    def pair(self, device: PairedDevice) -> None:
        """Add a paired device, which replaces an earlier device with the same address."""
        self.paired = [each for each in self.paired if each.address != device.address] + [device]
        self.changed.set()

    def forget(self, address: str) -> None:
        self.paired = [each for each in self.paired if each.address != address]
        self.changed.set()

    async def note(self, address: str, system_id: str) -> None:
        self.met.append((address, system_id))
        self.paired = [replace(each, system_id=system_id) if each.address == address else each for each in self.paired]


class Air:
    """The devices within radio range, in place of the adapter.

    `connect` waits until the device is in range. `away` are addresses out of range; `refuses` maps an address to the
    error of its connection attempts.
    """

    def __init__(self, peers: Iterable[GattPeer]) -> None:
        self.peers = {peer.address: peer for peer in peers}
        self.away: set[str] = set()
        self.refuses: dict[str, BleUnreachable] = {}
        self._came = asyncio.Event()

    def comes(self, address: str) -> None:
        self.away.discard(address)
        self._came.set()

    async def connect(self, address: str, lacks: Callable[[BleConnection], str] = lambda _: "") -> PeerLink:
        while address in self.away or address not in self.peers:
            self._came.clear()
            await self._came.wait()
        await asyncio.sleep(0)
        if address in self.refuses:
            raise self.refuses[address]
        return self.peers[address].connect()


@dataclass
class GattGateway:
    """A gateway's GATT sessions, with their store, their clock and their paired devices."""

    buffer: Buffer
    clock: MovedClock
    context: SessionContext
    gatt: GattContext
    trust: Trust
    numbers: int = 0
    running: list[asyncio.Task[None]] = field(default_factory=list)

    def session(self, peer: GattPeer, **as_paired: object) -> GattSession:
        """Start a session on a new connection to the device, and return it. `as_paired` are arguments of `paired`."""
        self.numbers += 1
        device = paired(peer, **as_paired)  # type: ignore[arg-type]  # passed through
        session = GattSession(peer.connect(), self.numbers, device, self.context, self.gatt)
        self.running.append(asyncio.create_task(session.run()))
        return session

    async def serving(self, session: GattSession) -> None:
        await eventually(lambda: session.state == "serving", what="the session serves its device")

    async def until(
        self, condition: Callable[[], bool] | Callable[[], Awaitable[bool]], what: str = "", step_s: float = 0.5
    ) -> None:
        """Advance the clock in steps until the condition is true. The clock stands still while the store writes."""

        async def yet() -> bool:
            answer = condition()
            if answer if isinstance(answer, bool) else await answer:
                return True
            await self.buffer.state_get(
                ""
            )  # the store handles requests in order, so its earlier work is done after this
            await self.clock.advance(step_s)
            return False

        await eventually(yet, what=what or condition.__qualname__, poll_s=0.001)

    async def ended(self) -> None:
        """Wait until every session has ended by itself; no session is cancelled."""
        for task in self.running:
            await asyncio.wait_for(task, WITHIN_S)
        self.running.clear()

    async def supervise(self, air: "Air | BleCentral") -> BleSupervisor:
        def number() -> int:
            self.numbers += 1
            return self.numbers

        supervisor = BleSupervisor(
            air,  # type: ignore[arg-type]  # links may be in memory
            self.trust,
            lambda link, at, device, patience: GattSession(link, at, device, self.context, self.gatt, patience),
            number,
            self.context.clock,
            self.context.journal,
            chance=lambda: 0.5,
        )
        self.running.append(asyncio.create_task(supervisor.run()))
        return supervisor

    async def stored(self) -> list[ObservationRecord]:
        return [record async for record in self.buffer.records(limit=100_000)]

    async def values(self) -> list[object]:
        return [each.value for each in await self.stored()]

    async def events(self) -> list[GatewayEvent]:
        return [decode_event(batch.payload) for batch in await whole_lane(self.buffer, Lane.EVENT)]

    async def event(self, name: str) -> GatewayEvent:
        """Wait until the store has an event of that name; return the latest."""

        async def found() -> GatewayEvent | None:
            return next((each for each in reversed(await self.events()) if each.name == name), None)

        event = await eventually(found, what=f"the event {name} is durable")
        assert event is not None
        return event

    async def event_names(self) -> list[str]:
        return [event.name for event in await self.events()]


@asynccontextmanager
async def gatt_gateway(
    folder: Path,
    *,
    store_settings: BufferSettings = QUICK,
    rules: FetchRules | None = None,
    store: Callable[[Buffer], Buffer] = lambda buffer: buffer,
    policy: ClockPolicy | None = None,
    disciplined: bool = True,
    real_time: bool = False,
) -> AsyncIterator[GattGateway]:
    """Yield a gateway for GATT sessions on the store in `folder`, which is created if it is absent.

    `store` wraps the store that sessions write to. With `real_time`, the sessions use the system clock instead of a
    clock that the test moves.
    """
    path = folder / "buffer.db"
    if not path.exists():
        new_store(folder)
    moved = MovedClock(wall_us=1_780_000_000_000_000)
    clock = TrustedClock(SystemClock() if real_time else moved, disciplined=lambda: 1 if disciplined else None)
    async with opened(path, settings=store_settings, clock=clock) as buffer:
        journal = Journal(buffer, clock)
        clocks = DeviceClocks()
        marks, trust = RecordMarks(), Trust()
        marks.load(await buffer.fetched_records())
        roster = Roster()
        context = SessionContext(
            system_id=bytes(8),
            store=buffer,
            roster=roster,
            live=LiveFeed(),
            clocks=clocks,
            clock=clock,
            claims=Claims(clock, roster),
            journal=journal,
            descriptions=DescriptionReporter(journal, clock),
            taps=Taps(),
            manager=ManagerSettings(),
            memory=SegmentIntake(buffer, clocks, journal),
            clock_rules=ClockRules(policy),
        )
        gatt = GattContext(store=store(buffer), marks=marks, rules=rules or FetchRules(), identify=trust.note)
        gateway = GattGateway(buffer, moved, context, gatt, trust)
        try:
            yield gateway
        finally:
            for task in gateway.running:
                task.cancel()
            await asyncio.gather(*gateway.running, return_exceptions=True)


async def fill(buffer: Buffer) -> None:
    """Append waveforms until the store's disk is full."""
    with suppress(StoreFull):
        for _ in range(1000):
            await buffer.append_sections([section(waveform(4, samples=20_000))], held_by_device=True)
    assert buffer.store_state is not StoreState.OK


class Fickle:
    """A wrapper of the real store, which rejects all observations with `StoreFull` while `full` is set."""

    def __init__(self, store: Buffer) -> None:
        self.full = False
        self._store = store

    async def append_sections(
        self,
        sections: Sequence[DeviceObservations],
        *,
        held_by_device: bool = False,
        records: FetchedRecords | None = None,
    ) -> None:
        if self.full and sections:
            raise StoreFull("no room")
        await self._store.append_sections(sections, held_by_device=held_by_device, records=records)

    async def append_live(self, sections: Sequence[DeviceObservations]) -> None:
        if self.full and sections:
            raise StoreFull("no room")
        await self._store.append_live(sections)
