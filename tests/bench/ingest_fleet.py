"""`ingest.fleet.*`: the rate of small batches of many vehicles, from MQTT message to commit and acknowledgement.

A hundred vehicles publish batches of 20 readings of two devices at QoS 1, through a real broker. Each has its own
connection, key, devices and lane. A run ends when the cloud has acknowledged every batch. The vehicles are in a process
of their own and sign their batches before a run begins (`fleet_vehicles`), so that the figure is that of the cloud with
the broker and the database on one machine.

`ingest.fleet.postgresql.processes_2` has two ingest processes in the place of one, as the operator's guide has them
for a fleet: they divide the vehicles. On two cores they share these with the broker, the database and the vehicles.

As in `ingest.*`, the cloud has no object store, so no batch is staged. The cost of staged batches is measured by
`scale.vehicles` and the soak group `thousand`.

The reference inserts the same observations into a table with the same columns, key and index, and does nothing else:
`executemany` with synchronous=FULL on SQLite, and COPY on PostgreSQL. Each of its commits has as many rows as a full
group of the ingest.
"""

import asyncio
import atexit
import itertools
import secrets
import sqlite3
import sys
import time
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import structlog

from cloud.clinical.observations.rows import COLUMNS, columns_of
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.event_loop import new_service_loop
from cloud.foundation.garbage import tune_garbage_collector
from cloud.foundation.ids import UlidIds
from cloud.vehicles.ingest import BrokerAddress, IngestSettings, make_ingest
from protocols.uplink.observations import decode_columns, encode_block
from tests.bench.fleet_vehicles import BATCHES, CHANNELS, DEVICES, VEHICLES, sections_of, vehicles
from tests.bench.frame import Done
from tests.bench.ingest import make_folder, open_reference
from tests.builders.ingest_cloud import CloudUnderTest, StoppedClock
from tests.harness.broker import CLOUD_USER, Broker, password_of
from tests.harness.eventually import eventually
from tests.harness.postgresql import TEMPLATE, postgresql_running

Run = Callable[[], Done]
Rows = list[tuple[Any, ...]]
Result = TypeVar("Result")

GROUP_BATCHES = 500
"""Batches in one commit of the reference."""
_ROOT = Path(__file__).resolve().parents[2]


def measure_sqlite() -> tuple[Run, Run]:
    """Return two runs on SQLite: the ingest, and `executemany`."""
    folder = make_folder()
    bench = _Bench(f"sqlite:///{folder / 'cloud.db'}", folder)
    raw: sqlite3.Connection
    raw, insert = open_reference(folder / "raw.db")

    def write(groups: list[Rows]) -> None:
        for group in groups:
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(insert, group)
            raw.execute("COMMIT")

    return bench.ours, _reference(write)


def measure_postgresql(processes: int = 1) -> tuple[Run, Run]:
    """Return two runs on PostgreSQL: the ingest in so many processes, and COPY."""
    stack = ExitStack()
    atexit.register(stack.close)
    cluster = stack.enter_context(postgresql_running())
    cluster.administer("CREATE DATABASE ours TEMPLATE template0", f"CREATE DATABASE raw TEMPLATE {TEMPLATE}")
    bench = _Bench(cluster.url("ours"), make_folder(), processes)
    raw = bench.run(asyncpg.connect(cluster.url("raw")))

    async def copy(groups: list[Rows]) -> None:
        for group in groups:
            async with raw.transaction():
                await raw.copy_records_to_table("observations", records=group, columns=list(COLUMNS))

    return bench.ours, _reference(lambda groups: bench.run(copy(groups)))


def _reference(write: Callable[[list[Rows]], None]) -> Run:
    """Return a run that writes as many rows as the vehicles send. The rows are made before the measured time."""
    columns = columns_of(decode_columns(encode_block(sections_of("gw_0", 1.0))))
    sequences = itertools.count(1)
    sources, channels = list(range(1, DEVICES + 1)), list(range(1, DEVICES * CHANNELS + 1))

    def run() -> Done:
        numbers = list(itertools.islice(sequences, VEHICLES * BATCHES))
        groups = [
            [
                row
                for number in numbers[begin : begin + GROUP_BATCHES]
                for row in columns.placed(1, number, sources, channels)
            ]
            for begin in range(0, len(numbers), GROUP_BATCHES)
        ]
        begun_s = time.perf_counter()
        write(groups)
        return Done(len(numbers), time.perf_counter() - begun_s)

    return run


class _Bench:
    """A broker, a cloud that ingests from it, and the process of the vehicles. The event loop runs only during
    measurements."""

    def __init__(self, url: str, folder: Path, processes: int = 1) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
        self._loop = new_service_loop()
        self._open = AsyncExitStack()
        self._process: asyncio.subprocess.Process
        self.run(self._start(url, folder, processes))
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def ours(self) -> Done:
        return Done(VEHICLES * BATCHES, float(self.run(_line(self._process, "run"))))

    def close(self) -> None:
        """End the vehicles, the ingest and the broker, when the interpreter ends."""
        self.run(self._open.aclose())
        self._loop.close()

    async def _start(self, url: str, folder: Path, processes: int) -> None:
        await migrate(url, create=True)
        database = await open_database(url)
        gateways = vehicles()
        await CloudUnderTest(database, clock=StoppedClock()).register(*gateways)
        broker = Broker(folder / "broker", gateways=[one.gateway for one in gateways])
        await broker.start()
        self._open.push_async_callback(broker.kill)
        if processes == 1:
            await self._ingest(database, broker)
        else:
            group = secrets.token_hex(16)
            for _ in range(processes):
                ingest = await self._run("tests.bench.fleet_ingest", url, broker.url, group)
                assert await _line(ingest) == "connected"
            # Until then the first process also receives the batches of the others.
            await asyncio.sleep(IngestSettings().share_overlap_s + 1)
        self._process = await self._run("tests.bench.fleet_vehicles", str(broker.port))
        assert await _line(self._process) == "connected"
        tune_garbage_collector()

    async def _ingest(self, database: Database, broker: Broker) -> None:
        """Ingest in this process."""
        clock = SystemClock()
        address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
        running = make_ingest(database, address, clock, UlidIds(clock))
        ingesting = asyncio.ensure_future(running.run())

        async def end() -> None:
            ingesting.cancel()
            await asyncio.wait([ingesting])

        self._open.push_async_callback(end)
        await eventually(lambda: running.unready() is None, what="ingest is connected")

    async def _run(self, module: str, *arguments: str) -> asyncio.subprocess.Process:
        """Start a process of the bench, which is killed at the end."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            module,
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_ROOT,
        )
        self._open.push_async_callback(process.wait)
        self._open.callback(process.kill)
        return process


async def _line(process: asyncio.subprocess.Process, order: str | None = None) -> str:
    """Send a line to a process, and return the line that it prints."""
    assert process.stdin is not None
    assert process.stdout is not None
    if order is not None:
        process.stdin.write(f"{order}\n".encode())
    line = await process.stdout.readline()
    assert line, "a process of the bench has ended"
    return line.decode().strip()
