"""Sessions as the gateway runs them, with a real store and a real TCP listener, but without the uplink and the crew
page.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from gateway.buffer import Buffer, BufferSettings
from gateway.live import LiveFeed
from gateway.sessions.association.resent_waveforms import STORED_BLOCKS
from gateway.sessions.association.segment_intake import SegmentIntake
from gateway.sessions.association.session import AssociationSession
from gateway.sessions.association.supervisor import Served, Supervisor
from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.clocks.trusted_clock import Discipline, TrustedClock, kernel_error_us
from gateway.sessions.context import SessionContext
from gateway.sessions.devices.claims import Claims
from gateway.sessions.devices.description_reporter import DescriptionReporter
from gateway.sessions.devices.histories import DeviceHistories
from gateway.sessions.devices.known_devices import known_devices
from gateway.sessions.devices.roster import Roster
from gateway.sessions.journal import Journal
from gateway.sessions.tracing import Taps
from gateway.transports.clock import Clock, SystemClock
from gateway.transports.serial_port import Framing, SerialPort
from gateway.transports.tcp import TcpListener
from protocols.ieee11073.association.settings import ManagerSettings
from protocols.observation_record import ObservationRecord
from protocols.uplink.events import GatewayEvent, decode_event
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import QUICK, new_store, opened, whole_lane
from tests.harness.eventually import eventually


@dataclass(frozen=True, slots=True)
class Sessions:
    """A running supervisor of sessions, their shared context, their store, and the address of the TCP listener."""

    supervisor: Supervisor
    context: SessionContext
    buffer: Buffer
    address: tuple[str, int]

    async def stored(self) -> list[ObservationRecord]:
        return [record async for record in self.buffer.records(limit=10_000)]

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
async def sessions(
    folder: Path,
    *,
    store_settings: BufferSettings = QUICK,
    sessions_max: int = 8,
    store: Buffer | None = None,
    memory_store: Buffer | None = None,
    serial: str | Sequence[str] = (),
    framing: Framing = "raw",
    ports_clock: Clock | None = None,
    manager: ManagerSettings | None = None,
    disciplined: Discipline = kernel_error_us,
) -> AsyncIterator[Sessions]:
    """Run a gateway's sessions on the store in `folder`, which is created if it is absent, until the block ends.

    `store` takes the place of this store for all data, `memory_store` for data from devices' memories. `serial` is the
    path of one or several serial ports to open; `ports_clock` is the clock for the pauses between attempts to open
    them. `disciplined` returns the error of the machine's clock in µs, or None if the clock is not synchronised.
    """
    path = folder / "buffer.db"
    if not path.exists():
        new_store(folder)
    clock = TrustedClock(SystemClock(), disciplined=disciplined)
    async with opened(path, settings=store_settings, clock=clock) as buffer:
        roster = Roster()
        roster.load(
            [(each.system_id, each.config_id, each.octets) for each in await buffer.configurations()],
            known_devices(await buffer.devices(), lambda _: None, []),
        )
        journal = Journal(buffer, clock)
        clocks = DeviceClocks()
        memory = SegmentIntake(memory_store or buffer, clocks, journal)
        memory.load(await buffer.fetched_segments())
        context = SessionContext(
            system_id=bytes(8),
            store=store or buffer,
            roster=roster,
            live=LiveFeed(),
            clocks=clocks,
            clock=clock,
            claims=Claims(clock, roster),
            journal=journal,
            descriptions=DescriptionReporter(journal, clock),
            taps=Taps(),
            manager=manager or ManagerSettings(),
            memory=memory,
            histories=DeviceHistories(roster.is_verified),
        )
        context.resent.load(await buffer.last_sections(Lane.WAVEFORM, STORED_BLOCKS))
        listener = TcpListener("127.0.0.1", 0)
        await listener.start()
        sources = [Served(listener, sessions_max)]
        paths = (serial,) if isinstance(serial, str) else serial
        sources += [Served(SerialPort(path, 115_200, framing, clock=ports_clock)) for path in paths]
        supervisor = Supervisor(
            sources,
            lambda link, number: AssociationSession(link, number, context),
            clock,
            journal,
        )
        running = asyncio.create_task(supervisor.run())
        try:
            yield Sessions(supervisor, context, buffer, listener.address)
        finally:
            await supervisor.release_all()
            await running


def small_store(file_bytes_max: int) -> BufferSettings:
    """Return settings for a store that reports a full disk at `file_bytes_max`."""
    return replace(QUICK, file_bytes_max=file_bytes_max)
