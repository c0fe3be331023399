"""`epcr.*`: reading an encounter as integrators do.

`epcr.summary` is the rate of requests for the summary of an encounter with one assigned device and its observations,
over sockets, against a bare handler with the same body (`http.py`).

`epcr.observations` is the rate of rows of a page of 1 000 observations: checks, queries, corrected times, JSON and
entity tag. The reference reads the columns of the same rows through the driver in one query, and encodes a list of
objects with `orjson.dumps`.

`epcr.envelope` is the time of the envelope of a 24-hour twelve-lead ECG at 1 000 points.
"""

import asyncio
import atexit
import logging
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import orjson
import structlog

from cloud.clinical.encounter_data.observations import EncounterObservations
from cloud.clinical.encounter_data.selection import Wanted
from cloud.clinical.encounter_data.waveform_blocks import WaveformBlocks
from cloud.clinical.encounter_data.waveform_envelope import WaveformEnvelope
from cloud.foundation.db import migrate, open_database
from cloud.foundation.http import strong_etag
from cloud.foundation.objects import LocalObjects
from protocols.device_time import absolute_time_at
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation
from tests.bench.frame import Figure, plain_figure
from tests.bench.http import ServedCloud
from tests.builders.encounter_reading import HOUR_US, assigned
from tests.builders.ingest_cloud import OPERATOR, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, section
from tests.builders.received_batches import RECEIVED
from tests.builders.recorded_day import record_day
from tests.harness.postgresql import postgresql_running

Run = Callable[[], int]
Result = TypeVar("Result")

NAMES = ("epcr.envelope",)
ROWS = 1_000
SECONDS = 300
ENVELOPES = 15
_CODES = ("MDC_PULS_OXIM_SAT_O2", "MDC_PULS_OXIM_PULS_RATE", "MDC_ECG_HEART_RATE", "MDC_AWAY_RESP_RATE")
_UNITS = ("MDC_DIM_PERCENT", "MDC_DIM_BEAT_PER_MIN", "MDC_DIM_BEAT_PER_MIN", "MDC_DIM_RESP_PER_MIN")
_COLUMNS = (
    *("lane_id", "sequence", "position", "source_id", "channel_id", "observed_at_us", "uncertainty_us"),
    *("received_at_us", "number", "value", "status", "device_time", "stored", "clock_id", "monotonic_us"),
)
_NAMES = ", ".join(_COLUMNS)


def measure_summary(*, postgresql: bool) -> tuple[Run, Run]:
    """Return two runs: requests for the summary of an encounter, and for the bare handler's copy of it."""
    served = ServedCloud(postgresql=postgresql)
    return served.pair("GET", f"/api/v1/epcr/encounters/{served.encounter_with_observations()}", b"")


def measure_observations(*, postgresql: bool) -> tuple[Run, Run]:
    """Return two runs over the same 1 000 observations: as a page of ours, and as rows of the driver."""
    stored = _Stored(postgresql=postgresql)
    stored.run(stored.ingest())

    def ours() -> int:
        return stored.run(stored.page())

    return ours, lambda: stored.run(stored.rows())


def measure_envelope() -> Figure:
    """Return the milliseconds of the envelope of a day of twelve leads at 1 000 points."""
    stored = _Stored(postgresql=False)
    stored.run(stored.record())
    taken = []
    for _ in range(ENVELOPES):
        began_s = time.perf_counter()
        assert stored.run(stored.envelope()) > 0
        taken.append(1_000 * (time.perf_counter() - began_s))
    unit = "ms (median; spread: fastest and slowest)"
    return plain_figure(NAMES[0], unit, statistics.median(taken), (min(taken), max(taken)))


class _Stored:
    """A cloud with an encounter, in this process. Its event loop runs only while it works."""

    def __init__(self, *, postgresql: bool) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self._folder = Path(tempfile.mkdtemp(prefix="argus-bench-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._url = f"sqlite:///{self._folder / 'cloud.db'}"
        if postgresql:
            running = postgresql_running()
            cluster = running.__enter__()
            atexit.register(running.__exit__, None, None, None)
            cluster.administer("CREATE DATABASE ours TEMPLATE template0")
            self._url = cluster.url("ours")
        self._loop = asyncio.new_event_loop()
        atexit.register(self._close)
        self._gateway = GatewayInVehicle()
        self._plain: Any = None
        self._cloud = self.run(self._open())

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self._loop.run_until_complete(work)

    def _close(self) -> None:
        if self._plain is not None and not isinstance(self._plain, sqlite3.Connection):
            self.run(self._plain.close())
        self.run(self._cloud.database.close())
        self._loop.close()

    async def _open(self) -> CloudUnderTest:
        await migrate(self._url, create=True)
        database = await open_database(self._url)
        objects = LocalObjects(self._folder / "objects")
        return await CloudUnderTest(database, objects=objects).register(self._gateway)

    async def ingest(self) -> None:
        """Store five minutes of a monitor with four values a second, and assign it."""
        batches = [self._gateway.send_sections([section(_readings(second))]) for second in range(SECONDS)]
        await self._cloud.take(*batches)
        self._encounter = await assigned(self._cloud)
        self._reader = EncounterObservations(self._cloud.database, RECEIVED)
        if self._url.startswith("sqlite"):
            self._plain = sqlite3.connect(self._folder / "cloud.db")
        else:
            self._plain = await asyncpg.connect(self._url)

    async def page(self) -> int:
        page = await self._reader.page(OPERATOR, self._encounter, Wanted(), after=None, limit=ROWS)
        body = f"[{','.join(page.lines)}]".encode()
        assert strong_etag(body)
        return len(page.lines)

    async def rows(self) -> int:
        query = f"SELECT {_NAMES} FROM observations WHERE source_id = 1 ORDER BY observed_at_us LIMIT {ROWS}"  # noqa: S608
        found = (
            self._plain.execute(query).fetchall()
            if isinstance(self._plain, sqlite3.Connection)
            else await self._plain.fetch(query)
        )
        documents = []
        for row in found:
            document = dict(zip(_COLUMNS, row, strict=True))
            document["device_time"] = document["device_time"].hex()
            documents.append(document)
        assert orjson.dumps(documents)
        return len(documents)

    async def record(self) -> None:
        await record_day(self._cloud, self._gateway)
        self._encounter = await assigned(self._cloud, from_us=NOW_US, until_us=NOW_US + 24 * HOUR_US)

    async def envelope(self) -> int:
        database, objects = self._cloud.database, self._cloud.objects
        reader = WaveformEnvelope(database, objects, WaveformBlocks(database, objects))
        page = await reader.page(OPERATOR, self._encounter, Wanted(), points=1_000, after=None)
        assert page.next is None
        return len(page.lines)


def _readings(second: int) -> list[Observation]:
    at = absolute_time_at(NOW_US + second * 1_000_000)
    return [
        Observation(
            channel=channel,
            value=90.0 + (second + number) % 10 / 10,
            samples=None,
            status=0,
            device_time=at,
            received_s=float(second),
        )
        for number, channel in enumerate(_CHANNELS)
    ]


_CHANNELS = [
    Channel(handle=handle, type=code_of(code), unit=code_of(unit))
    for handle, (code, unit) in enumerate(zip(_CODES, _UNITS, strict=True), 1)
]
