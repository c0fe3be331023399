"""A simulated fleet against the demo's cloud, with the processor time of each part and what a vehicle costs.

The cloud has PostgreSQL at full durability, with autovacuum as in an installation, and mosquitto. The stores of the
vehicles are in memory, so that they do not use the disk whose load is measured.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Self

from simulators.fleet.app import Fleet, FleetOptions
from simulators.fleet.console import Console
from simulators.fleet.plan import load_or_make, occupied
from simulators.fleet.profiles import PROFILES, ProfileName
from simulators.fleet.recording import RECORDING_S, Recording
from simulators.fleet.registration import BrokerPasswords
from simulators.fleet.summary import Summary
from tests.harness.demo import RunningDemo, start_demo
from tests.harness.postgresql import PostgresqlCluster, postgresql_running
from tests.harness.process_figures import processor_s, stolen_s, tree_processor_s

DATABASE = "fleet"
MEMORY = Path("/dev/shm")
# The statement itself must not be counted.
_CALLS = "SELECT coalesce(sum(calls), 0) FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """The cost of one vehicle in a fleet of `vehicles`, per second of its data that the cloud has stored, rows
    included. Times are those of a processor."""

    vehicles: int
    cloud_ms: float
    postgresql_ms: float
    broker_ms: float
    fleet_ms: float
    payload_bytes: float
    database_bytes: float
    statements: float

    @property
    def cpu_ms(self) -> float:
        """Processor time of all parts but the fleet."""
        return self.cloud_ms + self.postgresql_ms + self.broker_ms

    def line(self) -> str:
        """Return the cost as a line for people."""
        return (
            f"a vehicle among {self.vehicles}: {self.cpu_ms:.2f} ms of processor time a second (cloud "
            f"{self.cloud_ms:.2f}, PostgreSQL {self.postgresql_ms:.2f}, mosquitto {self.broker_ms:.2f}), "
            f"{self.statements:.2f} statements, {self.database_bytes:,.0f} bytes of database, "
            f"{self.payload_bytes:,.0f} of payload; the fleet itself {self.fleet_ms:.2f} ms"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """One run: its summary, its cost, and the batches that were pending in each second in which devices reported.
    `stolen_part`: the part of the cores' time that the host of this virtual machine gave to other guests. Meanwhile
    everything stands still, the fleet too."""

    summary: Summary
    cost: Cost
    pending: Sequence[int]
    stolen_part: float


@cache
def observations_per_s() -> float:
    """Return the observations that one vehicle records in a second, in the mean of a recording."""
    reports = Recording(PROFILES[ProfileName.FULL], seed=1).reports
    return sum(len(report.values) for report in reports) / RECORDING_S


@dataclass(frozen=True, slots=True)
class _Meters:
    cloud_s: float
    postgresql_s: float
    broker_s: float
    statements: int
    database_bytes: int


class MeasuredFleet:
    """The demo's cloud and broker, the database server, and a fleet with its state in `state`."""

    def __init__(self, demo: RunningDemo, cluster: PostgresqlCluster, state: Path) -> None:
        self.demo = demo
        self.cluster = cluster
        self.cloud_pids: list[int] = []
        """Processes of the cloud beside the demo's."""
        self._state = state

    @classmethod
    @asynccontextmanager
    async def running(cls, folder: Path) -> AsyncIterator[Self]:
        """Run a database server and a demo without devices, with its files in `folder`."""
        with database_server() as cluster, fleet_state() as state:
            demo = await start_demo(folder / "demo", "--no-devices", "--database-url", cluster.url(DATABASE))
            try:
                yield cls(demo, cluster, state)
            finally:
                await demo.stop()

    @property
    def config(self) -> Path:
        return Path(self.demo.facts["cloud_config"])

    async def register(self, vehicles: int) -> None:
        await self._register(self._fleet(vehicles, FleetOptions(broker_url=self.demo.facts["mqtt_url"])))

    async def run(
        self, vehicles: int, *, for_s: float, drain_s: float, begin: Callable[[], None] = lambda: None
    ) -> Measured:
        """Let so many vehicles report for `for_s`, and measure until the cloud has written the rows of all batches.
        `begin` is called when the devices begin.

        The cloud writes rows up to two minutes after the acknowledgement, or when its memory for them is full, so a
        short run, or one of few vehicles, would have none of this work before the last acknowledgement."""
        fleet = self._fleet(
            vehicles, FleetOptions(broker_url=self.demo.facts["mqtt_url"], for_s=for_s, drain_s=drain_s)
        )
        await self._register(fleet)
        # Statistics of the new vehicles' rows: autovacuum makes them up to a minute later, and a short run has none.
        await asyncio.to_thread(self.cluster.administer, "ANALYZE", database=DATABASE)
        read: list[_Meters] = []
        stolen: list[float] = []

        def begun() -> None:
            fleet.pending.clear()
            read.append(self._read())
            stolen.append(stolen_s())
            begin()

        def ended() -> None:
            stolen.append(stolen_s())

        # At its end the fleet compares the lanes, for which the cloud writes the rows that are left.
        summary = await fleet.run(begun, ended)
        (before,) = read
        cores_s = (summary.seconds + summary.drain_s) * len(os.sched_getaffinity(0))
        return Measured(
            summary=summary,
            cost=_per_vehicle(summary, before, self._read()),
            pending=list(fleet.pending)[: int(for_s)],
            stolen_part=(stolen[1] - stolen[0]) / cores_s,
        )

    def _fleet(self, vehicles: int, options: FleetOptions) -> Fleet:
        plan = load_or_make(self._state, vehicles)
        return Fleet(plan, plan.vehicles[:vehicles], options, Console(self.config), lambda line: None)

    async def _register(self, fleet: Fleet) -> None:
        await fleet.register(
            BrokerPasswords(self.demo.state_dir / "broker" / "argus-passwords", self.demo.pid("broker"))
        )

    def _read(self) -> _Meters:
        (calls,) = self.cluster.administer(_CALLS)
        (size,) = self.cluster.administer(f"SELECT pg_database_size('{DATABASE}')")
        return _Meters(
            sum(map(processor_s, (self.demo.pid("cloud"), *self.cloud_pids))),
            tree_processor_s(self.cluster.pid),
            processor_s(self.demo.pid("broker")),
            int(calls[0]),
            size[0],
        )


@contextmanager
def database_server() -> Iterator[PostgresqlCluster]:
    """Run a server with full durability and autovacuum that counts statements, and with the empty database of the
    fleet."""
    with postgresql_running(autovacuum=True) as cluster:
        cluster.administer(
            "ALTER SYSTEM SET shared_preload_libraries = 'pg_stat_statements'",
            f"CREATE DATABASE {DATABASE} TEMPLATE template0",
        )
        cluster.stop()
        cluster.start()
        cluster.administer("CREATE EXTENSION pg_stat_statements")
        yield cluster


@contextmanager
def fleet_state() -> Iterator[Path]:
    """Yield a folder for the state of a fleet, in memory where the system has such a folder."""
    with tempfile.TemporaryDirectory(prefix="argus-fleet-", dir=MEMORY if os.access(MEMORY, os.W_OK) else None) as path:
        state = Path(path) / "fleet"
        with occupied(state):
            yield state


def _per_vehicle(summary: Summary, before: _Meters, after: _Meters) -> Cost:
    # Vehicle-seconds of data that the cloud has stored: in an overload less than those in which devices reported.
    vehicle_s = summary.observations_acknowledged / observations_per_s()
    return Cost(
        vehicles=summary.vehicles,
        cloud_ms=1000 * (after.cloud_s - before.cloud_s) / vehicle_s,
        postgresql_ms=1000 * (after.postgresql_s - before.postgresql_s) / vehicle_s,
        broker_ms=1000 * (after.broker_s - before.broker_s) / vehicle_s,
        fleet_ms=1000 * summary.processor_s / vehicle_s,
        payload_bytes=summary.payload_bytes / vehicle_s,
        database_bytes=(after.database_bytes - before.database_bytes) / vehicle_s,
        statements=(after.statements - before.statements) / vehicle_s,
    )
