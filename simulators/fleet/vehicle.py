"""One simulated vehicle: its buffer, its uplink, and the reports of its devices.

Reports of a device are appended one after the other, as a session of the gateway appends them: the next one follows
when the buffer holds the previous one. Waveforms are streamed, and their batches share a commit a second; numerics are
reported with confirmation, and each report is durable before the next one. A vehicle that cannot keep up with its
devices is late. Its lateness is measured, because a fleet that slows down with the cloud would hide that the cloud is
slow.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Final, Self

from gateway.buffer import Buffer, BufferSettings, create_store
from gateway.security.identity import Identity, IdentityUnusable
from gateway.sessions.clocks.trusted_clock import UNSTATED_ERROR_US, TrustedClock
from gateway.sync.uplink import Uplink, UplinkSettings
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations, DeviceRef
from simulators.agents.kinds import description_of
from simulators.fleet.measured_source import Acknowledged, MeasuredSource
from simulators.fleet.profiles import Profile
from simulators.fleet.recording import RecordedReport, Recording

STORE_FILE: Final = "buffer.sqlite"
IDENTITY_FOLDER: Final = "identity"
STORE_SETTINGS: Final = BufferSettings(
    # A vehicle's 72 hours, reserve and budget would take 4 TB for a thousand vehicles. A cloud that is restored from an
    # older copy is not simulated.
    retention_s=300.0,
    reserve_bytes=256 << 10,
    disk_budget_bytes=256 << 20,
)
EVENT_EVERY_S: Final = 30.0
"""Interval of the events of one vehicle: a device is disconnected or connected, as with a loose cable."""


def system_id_of(gateway: str, kind: str) -> str:
    """Return the system id (EUI-64, locally administered) of a vehicle's device: no two fleets have devices in
    common."""
    identifier = bytearray(hashlib.sha256(f"argus simulated fleet {gateway} {kind}".encode()).digest()[:8])
    identifier[0] = (identifier[0] | 0x02) & 0xFE
    return identifier.hex()


def make_vehicle(folder: Path, gateway: str, now_us: int) -> Identity:
    """Return the identity of the vehicle's gateway; make the identity and the store if they are missing."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    where = folder / IDENTITY_FOLDER
    identity = Identity.load(where) if where.exists() else Identity.create(where, gateway)
    if identity.gateway != gateway:
        raise IdentityUnusable(f"{where} is the identity of {identity.gateway}, not of {gateway}: name another --state")
    if not (folder / STORE_FILE).exists():
        create_store(folder / STORE_FILE, gateway=gateway, key=identity.store_key, now_us=now_us)
    return identity


class Vehicle:
    """A vehicle whose store is open. `recorded` counts the observations that the buffer took in this run, by lane.
    `is_new`: the store was empty when this run opened it."""

    def __init__(self, buffer: Buffer, uplink: Uplink, profile: Profile, clock: TrustedClock) -> None:
        self.buffer = buffer
        self.uplink = uplink
        self.recorded: Counter[Lane] = Counter()
        self.late_s_max = 0.0
        self.connections = 0
        self.is_new = not any(mark.last for mark in buffer.marks().values())
        self.clock = clock
        self._since_us = -1
        self._devices = [
            DeviceRef(system_id_of(buffer.gateway, kind), description_of(kind).model) for kind in profile.kinds
        ]

    @classmethod
    async def open(
        cls,
        folder: Path,
        settings: UplinkSettings,
        clock: TrustedClock,
        acknowledged: Acknowledged,
        *,
        tenant: str,
        gateway: str,
        profile: Profile,
    ) -> Self:
        """Open the store of the vehicle that `make_vehicle` made. Raises `BufferUnusable` and `IdentityUnusable`."""
        identity = Identity.load(folder / IDENTITY_FOLDER)
        buffer = await Buffer.open(
            folder / STORE_FILE, gateway=gateway, key=identity.store_key, settings=STORE_SETTINGS, clock=clock
        )
        source = MeasuredSource(buffer, clock, acknowledged)
        uplink = Uplink(source, identity, settings, clock, tenant=tenant, gateway=gateway, software="argus-sim fleet")
        return cls(buffer, uplink, profile, clock)

    @property
    def gateway(self) -> str:
        return self.buffer.gateway

    @property
    def backlog_batches(self) -> int:
        """Number of committed batches that the cloud has not acknowledged."""
        return sum(mark.backlog_batches for mark in self.buffer.marks().values())

    @property
    def is_agreed(self) -> bool:
        """True when the uplink is connected and the cloud has acknowledged each lane on this connection."""
        state = self.uplink.state
        return state.connected and all(lane.agreed for lane in state.lanes.values())

    def observe_connection(self) -> None:
        """Count the uplink's connection if it is another one than at the last call."""
        state = self.uplink.state
        if state.connected and state.since_us != self._since_us:
            self._since_us = state.since_us
            self.connections += 1

    async def play(self, recording: Recording, *, from_s: float, begin_s: float, ending: asyncio.Event) -> None:
        """Append the reports of `recording` from `from_s` on, beginning at `begin_s` of the monotonic clock, until
        `ending` is set. Return when the last report is durable. Each device waits for its own reports only."""
        await self.append_event("device.connected")
        async with asyncio.TaskGroup() as devices:
            for device in range(len(self._devices)):
                devices.create_task(self._play(recording.play(device, from_s), begin_s, ending))
            devices.create_task(self._play_events(begin_s, ending))
        await self.append_event("device.disconnected")
        await self.buffer.flush()

    async def _play(
        self, reports: Iterator[tuple[float, RecordedReport]], begin_s: float, ending: asyncio.Event
    ) -> None:
        for at_s, report in reports:
            if not await self._wait(begin_s + at_s, ending):
                return
            self.late_s_max = max(self.late_s_max, self.clock.monotonic_s() - (begin_s + at_s))
            await self._append(report)

    async def _play_events(self, begin_s: float, ending: asyncio.Event) -> None:
        for number in count(1):
            if not await self._wait(begin_s + number * EVENT_EVERY_S, ending):
                return
            await self.append_event("device.disconnected" if number % 2 else "device.connected")

    async def _wait(self, until_s: float, ending: asyncio.Event) -> bool:
        """Wait until `until_s` of the monotonic clock. Return False at once when `ending` is set."""
        with suppress(TimeoutError):
            async with self.clock.timeout_at(until_s):
                await ending.wait()
        return not ending.is_set()

    async def _append(self, report: RecordedReport) -> None:
        received_s, wall_us = self.clock.monotonic_s(), self.clock.wall_us()
        observations = report.observations(wall_us, received_s)
        section = DeviceObservations(
            device=self._devices[report.device],
            boot_id=self.clock.boot_id,
            wall_offset_us=wall_us - round(received_s * 1_000_000),
            wall_synchronised=True,
            device_offset_us=0,
            uncertainty_us=UNSTATED_ERROR_US,
            stored=False,
            observations=observations,
        )
        if report.lanes.keys() == {Lane.WAVEFORM}:
            await self.buffer.append_live([section])
        else:
            await self.buffer.append_sections([section])
        self.recorded.update(report.lanes)

    async def append_event(self, name: str) -> None:
        await self.buffer.append_event(
            GatewayEvent(
                name=name,
                at_us=self.clock.wall_us(),
                boot_id=self.clock.boot_id,
                device=self._devices[0].system_id,
                fields={"link": "simulated"},
            )
        )
