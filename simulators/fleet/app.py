"""One run of a fleet: connect all vehicles, let their devices report, wait until the cloud has everything, compare.

The devices begin when every vehicle is connected, so that the figures are those of a fleet in service. With storms, all
connections are cut at an interval, while the devices go on.
"""

import asyncio
import resource
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gateway.sessions.clocks.trusted_clock import UNSTATED_ERROR_US, TrustedClock
from gateway.sync.uplink import UplinkSettings
from gateway.transports.clock import SystemClock
from protocols.uplink.broker import parse_broker_url
from simulators.fleet.comparison import compare
from simulators.fleet.connections import cut_connections
from simulators.fleet.console import Console
from simulators.fleet.latency import Latencies
from simulators.fleet.measured_source import Acknowledged
from simulators.fleet.plan import PLAN_FILE, FleetPlan, FleetUnusable, PlannedVehicle
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from simulators.fleet.registration import BrokerPasswords, register
from simulators.fleet.running import settled
from simulators.fleet.summary import Summary, summarize
from simulators.fleet.vehicle import IDENTITY_FOLDER, Vehicle

CONNECT_S: Final = 120.0
"""Time for all vehicles to connect. A cloud sends a running mosquitto the rights of a thousand new gateways within
this, and an uplink that was refused meanwhile retries after a minute at the latest."""
RIGHTS_S: Final = 4.0
RIGHTS_OF_ONE_S: Final = 0.01
"""Time after which a running broker has the rights of new gateways, and the further time for each: the cloud looks
every three seconds, and sends them in chunks. An uplink that connects earlier is refused, and retries after seconds."""
PATIENTS_MAX: Final = 4
"""Limit of simulated patients, whose recordings the vehicles share. Each takes 0.2 s at the start."""
MOMENTS_PER_S: Final = 20
"""Moments of a second at which vehicles report. Those of one moment share the values that they receive and their
encoding; among a thousand vehicles, 50 report at a moment."""
CONNECT_LOOK_S: Final = 0.25
WATCH_EVERY_S: Final = 1.0
DRAIN_LOOK_S: Final = 0.05
PROGRESS_EVERY_S: Final = 10.0
PENDING_S_MAX: Final = 3_600
"""Limit of the seconds for which the numbers of pending batches are kept: a run that sizes a machine takes minutes."""
DESCRIPTORS_PER_VEHICLE: Final = 12
"""Open files of one vehicle: database, log and log index for the writer and the reader, lock, marks, connection, and
room for one more while a connection is replaced."""
DESCRIPTORS_BESIDE: Final = 64
"""Open files of the process beside its vehicles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetOptions:
    """Options of one run. `for_s` None: until stopped. `storm_every_s` None: no storms. `drain_s`: the longest wait for
    the last acknowledgements. `rows`: compare the rows of the cloud too."""

    broker_url: str
    ca_file: Path | None = None
    profile: ProfileName = ProfileName.FULL
    for_s: float | None = None
    storm_every_s: float | None = None
    drain_s: float = 60.0
    rows: bool = False


class Fleet:
    """One run of the first `vehicles` vehicles of a plan. `notify` is called with each line about the progress."""

    def __init__(
        self,
        plan: FleetPlan,
        vehicles: Sequence[PlannedVehicle],
        options: FleetOptions,
        console: Console | None,
        notify: Callable[[str], None],
    ) -> None:
        self._plan = plan
        self._planned = vehicles
        self._options = options
        self._console = console
        self._notify = notify
        self._stop = asyncio.Event()
        self._clock = TrustedClock(SystemClock(), disciplined=lambda: UNSTATED_ERROR_US)
        self._acknowledged = Acknowledged(self._clock.wall_us())
        self._storms = 0
        self._pending_max = 0
        self.pending: deque[int] = deque(maxlen=PENDING_S_MAX)
        """Number of pending batches of all vehicles in each second of the run, the last one at the end."""
        _, self._broker_port, self._secure = parse_broker_url(options.broker_url)

    def stop(self) -> None:
        """Request the end of the reports. `run` returns when the cloud has everything, or when `drain_s` is over."""
        self._stop.set()

    async def register(self, passwords: BrokerPasswords | None) -> None:
        """Register the vehicles that the cloud does not have. Without a console nothing is registered. Raises
        `CommandFailed`, `FleetUnusable` and `IdentityUnusable`."""
        if self._console is None:
            return
        added = await register(
            self._plan, self._planned, self._console, self._clock, passwords=passwords, notify=self._notify
        )
        if added:
            self._notify(f"{added} vehicles are registered: waiting until the broker has their rights")
            await asyncio.sleep(RIGHTS_S + added * RIGHTS_OF_ONE_S)

    async def run(self, begun: Callable[[], None] = lambda: None, ended: Callable[[], None] = lambda: None) -> Summary:
        """Run the fleet; call `begun` when the devices begin, and `ended` after the last acknowledgement. Raises
        `FleetUnusable`, `BufferError`, `IdentityUnusable`, `CommandFailed`; errors of a running vehicle come in an
        exception group."""
        allow_descriptors(len(self._planned))
        recordings = await asyncio.to_thread(self._record)
        async with self._opened() as vehicles:
            async with asyncio.TaskGroup() as tasks:
                uplinks = [tasks.create_task(vehicle.uplink.run()) for vehicle in vehicles]
                watching = tasks.create_task(self._watch(vehicles))
                await self._connect(vehicles)
                with settled():
                    begun()
                    processor_s = time.process_time()
                    seconds = await self._report(vehicles, recordings)
                    pending = sum(vehicle.backlog_batches for vehicle in vehicles)
                    drain_s = await self._drain(vehicles)
                    ended()
                    processor_s = time.process_time() - processor_s
                for task in (*uplinks, watching):
                    task.cancel()
            comparison = None
            if self._console is not None:
                comparison = await compare(vehicles, self._plan.tenant_id, self._console, rows=self._options.rows)
            return summarize(
                vehicles,
                self._acknowledged,
                profile=self._options.profile.value,
                seconds=seconds,
                drain_s=drain_s,
                storms=self._storms,
                pending=pending,
                pending_max=self._pending_max,
                processor_s=processor_s,
                comparison=comparison,
            )

    @asynccontextmanager
    async def _opened(self) -> AsyncIterator[list[Vehicle]]:
        """Open the stores of all vehicles inside the block."""
        async with AsyncExitStack() as stack:
            vehicles: list[Vehicle] = []
            for planned in self._planned:
                folder = self._plan.folder(planned)
                if not (folder / IDENTITY_FOLDER).exists():
                    raise FleetUnusable(
                        f"{planned.gateway_id} has no identity in {folder}, since it was not registered: "
                        "give --cloud-config, or --demo, once"
                    )
                vehicle = await Vehicle.open(
                    folder,
                    self._uplink_settings(planned),
                    self._clock,
                    self._acknowledged,
                    tenant=self._plan.tenant_id,
                    gateway=planned.gateway_id,
                    profile=PROFILES[self._options.profile],
                )
                stack.push_async_callback(vehicle.buffer.close)
                vehicles.append(vehicle)
            yield vehicles

    def _uplink_settings(self, planned: PlannedVehicle) -> UplinkSettings:
        options = self._options
        if self._secure:
            return UplinkSettings(mqtt_url=options.broker_url, ca_file=options.ca_file)
        return UplinkSettings(
            mqtt_url=options.broker_url,
            username=planned.gateway_id,
            password_file=self._plan.state_dir / PLAN_FILE,
            read_secret=lambda _path, _name: planned.password.encode(),
        )

    async def _connect(self, vehicles: Sequence[Vehicle]) -> None:
        """Wait until the cloud has acknowledged every lane of every vehicle."""
        try:
            async with asyncio.timeout(CONNECT_S):
                while not all(vehicle.is_agreed for vehicle in vehicles):  # noqa: ASYNC110 - uplinks have no event for it
                    await asyncio.sleep(CONNECT_LOOK_S)
        except TimeoutError:
            absent = [vehicle for vehicle in vehicles if not vehicle.is_agreed]
            why = absent[0].uplink.state.last_error or "the cloud did not respond: is its ingest running?"
            raise FleetUnusable(
                f"{len(absent)} of {len(vehicles)} vehicles did not exchange marks with the cloud within "
                f"{CONNECT_S:.0f} s; {absent[0].gateway}: {why}"
            ) from None

    def _record(self) -> list[Recording]:
        patients = min(len(self._planned), PATIENTS_MAX)
        return [Recording(PROFILES[self._options.profile], seed) for seed in range(1, patients + 1)]

    async def _report(self, vehicles: Sequence[Vehicle], recordings: Sequence[Recording]) -> float:
        """Let the devices of all vehicles report until the end of the run; return the seconds."""
        begin_s, ending = self._clock.monotonic_s(), asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            moments = min(len(vehicles), MOMENTS_PER_S)
            for number, vehicle in enumerate(vehicles):
                # Spread over the recording, and over a second, so that the vehicles do not report in step.
                moment = number % moments
                place = moment / moments
                tasks.create_task(
                    vehicle.play(
                        recordings[moment % len(recordings)],
                        from_s=float(int(place * RECORDING_S)),
                        begin_s=begin_s + place,
                        ending=ending,
                    )
                )
            storming = tasks.create_task(self._storm())
            with suppress(TimeoutError):
                async with asyncio.timeout(self._options.for_s):
                    await self._stop.wait()
            storming.cancel()
            ending.set()
        return self._clock.monotonic_s() - begin_s

    async def _storm(self) -> None:
        every_s = self._options.storm_every_s
        while every_s is not None:
            await asyncio.sleep(every_s)
            cut = cut_connections(self._broker_port)
            self._storms += 1
            self._notify(f"storm {self._storms}: {cut} connections were cut")

    async def _drain(self, vehicles: Sequence[Vehicle]) -> float:
        """Wait until the cloud has acknowledged everything, at most `drain_s`; return the seconds."""
        begin_s = self._clock.monotonic_s()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.drain_s):
                while any(vehicle.backlog_batches for vehicle in vehicles):  # noqa: ASYNC110 - as above
                    await asyncio.sleep(DRAIN_LOOK_S)
        return self._clock.monotonic_s() - begin_s

    async def _watch(self, vehicles: Sequence[Vehicle]) -> None:
        """Count connections and pending batches, and report the progress. Never returns."""
        began_s = shown_s = self._clock.monotonic_s()
        while True:
            pending = sum(vehicle.backlog_batches for vehicle in vehicles)
            self._pending_max = max(self._pending_max, pending)
            self.pending.append(pending)
            for vehicle in vehicles:
                vehicle.observe_connection()
            now_s = self._clock.monotonic_s()
            if now_s >= shown_s + PROGRESS_EVERY_S:
                shown_s = now_s
                agreed = sum(vehicle.is_agreed for vehicle in vehicles)
                p99 = Latencies.joined(self._acknowledged.latencies.values()).percentile_ms(99)
                self._notify(
                    f"{now_s - began_s:.0f} s: {agreed} of {len(vehicles)} vehicles connected, "
                    f"{self._acknowledged.batches:,} batches acknowledged, {pending:,} pending, "
                    f"p99 {'–' if p99 is None else f'{p99:,.0f} ms'}"
                )
            await asyncio.sleep(WATCH_EVERY_S)


def allow_descriptors(vehicles: int) -> None:
    """Raise this process's limit of open files to what the vehicles need. Raises `FleetUnusable` where the machine does
    not allow as many."""
    needed = vehicles * DESCRIPTORS_PER_VEHICLE + DESCRIPTORS_BESIDE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise FleetUnusable(
            f"{vehicles} vehicles need {needed} open files and this process may have {hard}: "
            f"start at most {(hard - DESCRIPTORS_BESIDE) // DESCRIPTORS_PER_VEHICLE}, or raise the limit (ulimit -n)"
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
