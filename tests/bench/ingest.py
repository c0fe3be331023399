"""`ingest.*`: the rate of observations from MQTT message to commit and acknowledgement, through a real broker.

A vehicle publishes batches of 250 readings of ten channels at QoS 1, several in flight. A run ends when the cloud has
acknowledged the last batch. The rate includes everything: the broker, decoding, the signature of each batch, the chain,
the rows with their index, the stored envelope, the durable commit, and the acknowledgement. The vehicle publishes from
the same process and core, so its work is included too.

The reference inserts the same rows into a table with the same columns, key and index, and does nothing else. It uses
`executemany` with synchronous=FULL on SQLite and COPY on PostgreSQL. Each of its commits has as many rows as a full
group of the ingest.

The cloud has no object store. So no batch is staged: each is acknowledged after the commit of its rows, as on
PostgreSQL without a store in the settings.

The databases are in the directory for temporary files: set TMPDIR to measure another disk.
"""

import asyncio
import atexit
import itertools
import shutil
import socket
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, ExitStack
from pathlib import Path
from typing import Any, TypeVar

import aiomqtt
import asyncpg
import structlog
from sqlalchemy import MetaData
from sqlalchemy.dialects import sqlite
from sqlalchemy.schema import CreateIndex, CreateTable

from cloud.clinical.observations.rows import COLUMNS, columns_of
from cloud.clinical.observations.tables import observations
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate, open_database
from cloud.foundation.event_loop import new_service_loop
from cloud.foundation.garbage import tune_garbage_collector
from cloud.foundation.ids import UlidIds
from cloud.vehicles.ingest import BrokerAddress, make_ingest
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation
from protocols.provenance.hash_chain import genesis
from protocols.uplink import topics
from protocols.uplink.acks import decode_ack
from protocols.uplink.envelope import Batch, BatchKind, encode_envelope
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_columns, encode_block
from tests.builders.ingest_cloud import TENANT, CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.harness.broker import CLOUD_USER, GATEWAY, Broker, password_of
from tests.harness.eventually import eventually
from tests.harness.postgresql import TEMPLATE, postgresql_running

Run = Callable[[], int]
Result = TypeVar("Result")

READINGS = 250
BATCHES = 64
"""Batches of one run."""
IN_FLIGHT = 32
"""Limit of publishes without PUBACK, as for a vehicle with a backlog."""
GROUP_ROWS = 5_000
"""Rows in one commit of the reference: as many as the ingest commits for some twenty messages, which is what one
vehicle with a backlog has in flight."""

_CHANNELS = [Channel(handle=handle, type=Code(2, 19_380 + handle), unit=Code(4, 544)) for handle in range(1, 11)]


def measure_sqlite() -> tuple[Run, Run]:
    """Return two runs on SQLite: the ingest, and `executemany`."""
    folder = make_folder()
    bench = _Bench(f"sqlite:///{folder / 'cloud.db'}", folder)
    raw, insert = open_reference(folder / "raw.db")
    rows = _raw_rows()

    def reference() -> int:
        for group in _groups(rows):
            raw.execute("BEGIN IMMEDIATE")
            raw.executemany(insert, group)
            raw.execute("COMMIT")
        return READINGS * BATCHES

    return bench.ours, reference


def open_reference(path: Path) -> tuple[sqlite3.Connection, str]:
    """Return a connection to a new database with the table of observations, and the INSERT of a row."""
    raw = sqlite3.connect(path, isolation_level=None)
    raw.execute("PRAGMA journal_mode=WAL")
    raw.execute("PRAGMA synchronous=FULL")
    for statement in _schema():
        raw.execute(statement)
    return raw, f"INSERT INTO observations ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608


def measure_postgresql() -> tuple[Run, Run]:
    """Return two runs on PostgreSQL: the ingest, and COPY."""
    stack = ExitStack()
    atexit.register(stack.close)
    cluster = stack.enter_context(postgresql_running())
    cluster.administer("CREATE DATABASE ours TEMPLATE template0", f"CREATE DATABASE raw TEMPLATE {TEMPLATE}")
    bench = _Bench(cluster.url("ours"), make_folder())
    raw = bench.run(asyncpg.connect(cluster.url("raw")))
    rows = _raw_rows()

    async def copy() -> int:
        for group in _groups(rows):
            async with raw.transaction():
                await raw.copy_records_to_table("observations", records=group, columns=list(COLUMNS))
        return READINGS * BATCHES

    return bench.ours, lambda: bench.run(copy())


class _Bench:
    """A broker, a cloud that ingests from it, and a vehicle. Their event loop runs only during measurements."""

    def __init__(self, url: str, folder: Path) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(40))
        self._loop = new_service_loop()
        self._open = AsyncExitStack()
        self._vehicle = _Vehicle()
        self.run(self._start(url, folder))
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def ours(self) -> int:
        return self.run(self._vehicle.publish_and_await(self._client))

    def close(self) -> None:
        """Close the connections to the broker, and then the broker, when the interpreter ends.

        The database's threads have already ended by then, and the stored data is durable.
        """
        self.run(self._open.aclose())
        self._loop.close()

    async def _start(self, url: str, folder: Path) -> None:
        await migrate(url, create=True)
        database = await open_database(url)
        await CloudUnderTest(database, clock=StoppedClock()).register(self._vehicle.gateway)
        broker = Broker(folder / "broker")
        await broker.start()
        self._open.push_async_callback(broker.kill)
        clock = SystemClock()
        address = BrokerAddress(url=broker.url, username=CLOUD_USER, password=password_of(CLOUD_USER))
        running = make_ingest(database, address, clock, UlidIds(clock))
        self._background(running.run())
        await eventually(lambda: running.unready() is None, what="ingest is connected")
        self._client = await self._open.enter_async_context(
            aiomqtt.Client(
                "127.0.0.1",
                broker.port,
                username=GATEWAY,
                password=password_of(GATEWAY),
                protocol=aiomqtt.ProtocolVersion.V5,
                max_inflight_messages=IN_FLIGHT,
                socket_options=[(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)],
            )
        )
        self._client.pending_calls_threshold = 10_000
        await self._client.subscribe(topics.ack(TENANT, GATEWAY), qos=1)
        self._background(self._vehicle.listen(self._client))
        tune_garbage_collector()

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self._open.push_async_callback(end)


class _Vehicle:
    """A vehicle that publishes chained, signed batches and receives the acknowledgements.

    The payloads are encoded once and used in every run; each batch has a new sequence number and hash.
    """

    def __init__(self) -> None:
        self.gateway = GatewayInVehicle(gateway=GATEWAY)
        self._payloads = [encode_block([section(_readings(number))]) for number in range(BATCHES)]
        self._previous = genesis(GATEWAY, self.gateway.epoch, Lane.NUMERIC.value)
        self._sent = self._through = 0
        self._heard = asyncio.Event()

    async def publish_and_await(self, client: aiomqtt.Client) -> int:
        """Publish the batches of one run, wait until the cloud has acknowledged the last one, and return the number of
        readings."""
        topic = topics.up(TENANT, GATEWAY, Lane.NUMERIC)
        await asyncio.gather(*(client.publish(topic, octets, qos=1) for octets in self._batches()))
        while self._through < self._sent:
            self._heard.clear()
            await self._heard.wait()
        return READINGS * BATCHES

    async def listen(self, client: aiomqtt.Client) -> None:
        async for message in client.messages:
            ack = decode_ack(bytes(message.payload))
            self._through = max(self._through, ack.through_sequence)
            self._heard.set()

    def _batches(self) -> Iterator[bytes]:
        for payload in self._payloads:
            self._sent += 1
            batch = Batch(
                gateway=GATEWAY,
                epoch=self.gateway.epoch,
                lane=Lane.NUMERIC,
                sequence=self._sent,
                kind=BatchKind.OBSERVATIONS,
                count=READINGS,
                created_at_us=NOW_US,
                boot_id="boot-1",
                previous_hash=self._previous,
                payload=payload,
            )
            self._previous = batch.hash
            yield encode_envelope(self.gateway.signed(batch))


def _readings(number: int) -> list[Observation]:
    return [
        Observation(
            channel=_CHANNELS[place % len(_CHANNELS)],
            value=60.0 + (number * 7 + place * 3) % 50,
            samples=None,
            status=0,
            device_time=None,
            received_s=number * 25 + place * 0.1,
        )
        for place in range(READINGS)
    ]


def _raw_rows() -> Callable[[], list[tuple[Any, ...]]]:
    """Return a function. Each call of it returns the rows that our ingest writes in one run, with new
    sequence numbers."""
    columns = [columns_of(decode_columns(encode_block([section(_readings(number))]))) for number in range(BATCHES)]
    sequences = itertools.count(1)
    channels = list(range(1, len(_CHANNELS) + 1))
    return lambda: [row for one in columns for row in one.placed(1, next(sequences), [1], channels)]


def _groups(rows: Callable[[], list[tuple[Any, ...]]]) -> Iterator[Sequence[tuple[Any, ...]]]:
    every = rows()
    for begin in range(0, len(every), GROUP_ROWS):
        yield every[begin : begin + GROUP_ROWS]


def _schema() -> list[str]:
    """Return the SQLite statements that create the product's table of observations and its indexes."""
    table = observations.to_metadata(MetaData())
    dialect = sqlite.dialect()
    statements = [CreateTable(table), *(CreateIndex(index) for index in table.indexes)]
    return [str(statement.compile(dialect=dialect)) for statement in statements]


def make_folder() -> Path:
    """Create a folder that is removed when the interpreter ends."""
    folder = Path(tempfile.mkdtemp(prefix="argus-bench-ingest-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
