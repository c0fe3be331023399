"""`waveform.read`: the rate at which waveforms are read from packed objects, and their size at rest.

Two minutes of a vehicle (the demo's monitor, one batch a second) are ingested into objects in a folder. A run
exports them: the index, the ranges, the checksums, decoding, the order of time and the records. The reference only
decodes the same payloads.

The size at rest is that of the objects and of the database rows, for each sample. An object has ten batches, as in an
installation of a few dozen vehicles; larger objects cost less.
"""

import asyncio
import atexit
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import structlog

from cloud.clinical.devices import Devices
from cloud.clinical.observations.reading import ObservationReader
from cloud.foundation.db import Database, migrate, open_database
from cloud.foundation.objects import LocalObjects
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block
from tests.bench.frame import Figure
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.monitor_waveforms import GATEWAY, SentBatch, reports, sent_batches
from tests.builders.received_batches import RECEIVED
from tests.builders.uplink_batches import KEY

NAMES = ("waveform.bytes_at_rest",)
DURATION_S = 120.0
REPORTS_A_SECOND = 4
BATCHES_A_GROUP = 10

Run = Callable[[], int]
Result = TypeVar("Result")


def measure_read() -> tuple[Run, Run]:
    """Return two runs over the same samples: exported from objects, and decoded from memory."""
    sent = sent_batches(reports(DURATION_S), reports_each=REPORTS_A_SECOND)
    samples = sum([one.samples for one in sent])
    store = _Stored(sent)

    def ours() -> int:
        assert store.run(store.read()) == sum([len(each.observations) for one in sent for each in one.sections])
        return samples

    def reference() -> int:
        for one in sent:
            decode_block(one.payload)
        return samples

    return ours, reference


def measure_size() -> Figure:
    """Return the bytes at rest of each sample: objects and rows; in the spread, the objects, and everything."""
    sent = sent_batches(reports(DURATION_S), reports_each=REPORTS_A_SECOND)
    samples = sum([one.samples for one in sent])
    store = _Stored(sent)
    objects = sum([path.stat().st_size for path in (store.folder / "objects").rglob("*") if path.is_file()])
    rows = store.row_bytes()
    return Figure(
        name=NAMES[0],
        value=(objects + rows) / samples,
        unit="bytes/sample (spread: objects alone)",
        reference=None,
        reference_is="–",
        ratio=None,
        spread=(objects / samples, (objects + rows) / samples),
        runs=1,
    )


class _Stored:
    """A cloud on SQLite that has ingested waveform batches into objects. Its event loop runs only while it works."""

    def __init__(self, sent: list[SentBatch]) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self.folder = Path(tempfile.mkdtemp(prefix="argus-bench-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self._loop = asyncio.new_event_loop()
        self._database = self.run(self._ingest(sent))
        atexit.register(self.close)

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def close(self) -> None:
        self.run(self._database.close())
        self._loop.close()

    async def _ingest(self, sent: list[SentBatch]) -> Database:
        url = f"sqlite:///{self.folder / 'cloud.db'}"
        await migrate(url, create=True)
        database = await open_database(url)
        cloud = await CloudUnderTest(database, objects=LocalObjects(self.folder / "objects")).register()
        await cloud.register_key(GATEWAY, KEY.public_key().public_bytes_raw())
        for begin in range(0, len(sent), BATCHES_A_GROUP):
            some = sent[begin : begin + BATCHES_A_GROUP]
            arrivals = [cloud.handover.delivery(one.envelope, gateway=GATEWAY, lane=Lane.WAVEFORM) for one in some]
            assert await cloud.take(*arrivals)
        self._cloud = cloud
        return database

    async def read(self) -> int:
        cloud = self._cloud
        reader = ObservationReader(
            cloud.database, OPERATOR, Devices(cloud.ids), RECEIVED, objects=cloud.objects, hidden=True
        )
        return sum([1 async for _ in reader.read()])

    def row_bytes(self) -> int:
        """Return the bytes of the tables and indexes that grow with waveforms."""
        connection = sqlite3.connect(self.folder / "cloud.db")
        try:
            (size,) = connection.execute(
                "SELECT sum(payload) FROM dbstat WHERE name LIKE '%waveform_%' OR name = 'batches'"
            ).fetchone()
        finally:
            connection.close()
        return int(size)
