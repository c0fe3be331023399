"""One simulated vehicle: its buffer, its uplink, and the reports of its devices.

The reports of a second are appended together as one batch of each lane. A gateway appends each report when it comes,
holds waveforms that no device keeps, and cuts with the commit of the numerics that follow them, so its batches are the
same. What it does beside, for each report, the cloud does not notice, and the fleet leaves it out. The values of the
vehicles that report at one moment are encoded once (`recording`). The vehicle adds its devices, compresses, seals,
stores, signs and sends each batch itself, as every gateway does.

A vehicle that cannot keep up with its devices is late. Its lateness is measured, because a fleet that slows down with
the cloud would hide that the cloud is slow.
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from gateway.buffer import Buffer, BufferSettings, create_store
from gateway.buffer.blocks import Block
from gateway.buffer.workers import StoreThreads
from gateway.security.identity import Identity, IdentityUnusable
from gateway.sessions.clocks.trusted_clock import UNSTATED_ERROR_US, TrustedClock
from gateway.sync.uplink import Uplink, UplinkSettings
from protocols.uplink.channels import DeviceRef, Facts
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import GatewayEvent
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import encode_runs
from simulators.agents.kinds import description_of
from simulators.fleet.loop_workers import LoopWorkers, is_in_memory
from simulators.fleet.measured_source import Acknowledged, MeasuredSource
from simulators.fleet.profiles import Profile
from simulators.fleet.recording import ReceivedLane, ReceivedSecond, Recording, Second

STORE_FILE: Final = "buffer.sqlite"
IDENTITY_FOLDER: Final = "identity"
STORE_SETTINGS: Final = BufferSettings(
    # A vehicle's 72 hours, reserve and budget would take 4 TB for a thousand vehicles. A cloud that is restored from an
    # older copy is not simulated.
    retention_s=300.0,
    reserve_bytes=256 << 10,
    disk_budget_bytes=256 << 20,
    # All reports that share a commit and a batch are appended together.
    commit_interval_s=0.0,
    batch_s=0.0,
    tidy_interval_s=30.0,
)
EVENT_EVERY_S: Final = 30.0
"""Interval of the events of one vehicle: a device is disconnected or connected, as with a loose cable."""
SLEEP_S_MAX: Final = 1.0
"""Longest time after which a vehicle notices the end of the run."""


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
            folder / STORE_FILE,
            gateway=gateway,
            key=identity.store_key,
            settings=STORE_SETTINGS,
            clock=clock,
            make_workers=LoopWorkers if is_in_memory(folder) else StoreThreads,
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
        since_us = self.uplink.connected_since_us
        if since_us is not None and since_us != self._since_us:
            self._since_us = since_us
            self.connections += 1

    async def play(self, recording: Recording, *, from_s: float, begin_s: float, ending: asyncio.Event) -> None:
        """Append the reports of `recording` from the whole second `from_s` on, beginning at `begin_s` of the monotonic
        clock, until `ending` is set. Return when the last report is durable."""
        await self.append_event("device.connected")
        event_s, is_connected = EVENT_EVERY_S, True
        for added_s, second in recording.play(from_s):
            at_s = added_s + second.end_s
            if not await self._wait(begin_s + at_s, ending):
                break
            self.late_s_max = max(self.late_s_max, self.clock.monotonic_s() - (begin_s + at_s))
            await self._append(second, recording.receive(second, begin_s + added_s, self.clock))
            if at_s >= event_s:
                event_s, is_connected = event_s + EVENT_EVERY_S, not is_connected
                await self.append_event("device.connected" if is_connected else "device.disconnected")
        await self.append_event("device.disconnected")
        await self.buffer.flush()

    async def _wait(self, until_s: float, ending: asyncio.Event) -> bool:
        """Wait until `until_s` of the monotonic clock. Return False soon when `ending` is set."""
        while not ending.is_set() and (now_s := self.clock.monotonic_s()) < until_s:
            await self.clock.sleep_until(min(until_s, now_s + SLEEP_S_MAX))
        return not ending.is_set()

    async def _append(self, second: Second, received: ReceivedSecond) -> None:
        boot_id = self.clock.boot_id
        facts = [
            Facts(
                device=device,
                boot_id=boot_id,
                wall_offset_us=received.wall_offset_us,
                wall_synchronised=True,
                device_offset_us=0,
                uncertainty_us=UNSTATED_ERROR_US,
                stored=False,
            )
            for device in self._devices
        ]
        await self.buffer.append_encoded([_block(each, facts) for each in received.lanes])
        for lane, count in second.lanes.items():
            self.recorded[lane] += count

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


def _block(received: ReceivedLane, facts: Sequence[Facts]) -> Block:
    """Return the block of a batch with the received values. `facts` are those of each device of the vehicle."""
    runs = [(facts[device], count) for device, count in received.runs]
    return Block(received.lane, BatchKind.OBSERVATIONS, received.values.count, encode_runs(runs, received.values))
