"""`export.*`: rows of an export for each second of processor time, from the database to the complete file.

Our run is the job `export.bulk` without its row: all steps of an export of an encounter, with the checks of the viewer,
the parts in the object store with their hashes, and the joined file. The reference is what a script for this one
encounter would do: it reads the columns of the same rows from the same SQLite file in the order of time, writes each
row with `orjson.dumps` (for FHIR, a resource that exists already gets the id, time and value of the row), or 50 000
rows as a row group with pyarrow, and flushes one file to the disk. It knows no viewer, no withheld value, no uncertain
clock and no resumption.

Both are measured by the processor time of all threads, since ours uses a thread for the database and one to encode.
"""

import asyncio
import atexit
import logging
import os
import shutil
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import structlog

from cloud.foundation.db import migrate, open_database
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import LocalObjects, StoredObject
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.work import ExportWork
from cloud.work.jobs import Finish, RunningJob
from protocols.observation_record import utc_text
from tests.bench.frame import Done, Run
from tests.builders.ingest_cloud import OPERATOR
from tests.builders.long_encounters import add_encounter, past_cloud
from tests.builders.parts import make_parts

ROWS = 100_000
PAGE_ROWS = 2_000
GROUP_ROWS = 50_000
_COLUMNS = (
    *("lane_id", "sequence", "position", "channel_id", "observed_at_us", "uncertainty_us", "received_at_us"),
    *("number", "value", "status", "device_time", "stored", "clock_id"),
)
_QUERY = f"SELECT {', '.join(_COLUMNS)} FROM observations ORDER BY source_id, observed_at_us, sequence, position"  # noqa: S608
_NUMBER = _COLUMNS.index("number")
_OBSERVED, _RECEIVED = _COLUMNS.index("observed_at_us"), _COLUMNS.index("received_at_us")


def measure(form: str) -> tuple[Run, Run]:
    """Return two runs over the same observations: our export in a format, and the plain script."""
    stored = _stored()
    return lambda: stored.export(form), lambda: stored.script(form)


@cache
def _stored() -> "_Stored":
    return _Stored()


class _Stored:
    """A database with an encounter, in this process. Its event loop runs only while it works."""

    def __init__(self) -> None:
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self._folder = Path(tempfile.mkdtemp(prefix="argus-bench-"))
        atexit.register(shutil.rmtree, self._folder, ignore_errors=True)
        self._loop = asyncio.new_event_loop()
        self._objects = LocalObjects(self._folder / "objects")
        self._work = self._loop.run_until_complete(self._open())
        self._raw = sqlite3.connect(self._folder / "cloud.db")
        self._resource: dict[str, Any] = self._last_resource()

    async def _open(self) -> ExportWork:
        url = f"sqlite:///{self._folder / 'cloud.db'}"
        await migrate(url, create=True)
        database = await open_database(url)
        cloud, gateway = await past_cloud(database)
        await add_encounter(cloud, gateway, ROWS)
        cloud.clock.at_us += 1
        sections: Any = {"objects_dir": str(self._folder / "objects")}
        return ExportWork(make_parts(database, cloud.clock, master=MasterKey(bytes(32)), sections=sections))

    def export(self, form: str) -> Done:
        begun_s = time.process_time()
        stored, rows = self._loop.run_until_complete(self._export(form))
        elapsed_s = time.process_time() - begun_s
        self._loop.run_until_complete(self._objects.remove(stored.name))
        assert rows >= ROWS
        return Done(ROWS, elapsed_s)

    async def _export(self, form: str) -> tuple[StoredObject, int]:
        payload = ExportPayload.model_validate({"data": "observations", "format": form})
        job = RunningJob("job_measured", OPERATOR, payload, ExportState(), 1)
        while not isinstance(outcome := await self._work.step(job), Finish):
            job = RunningJob(job.id, job.actor, payload, outcome.state, 1)
        joined = job.state.joined
        assert joined is not None
        return joined.stored(), job.state.rows

    def script(self, form: str) -> Done:
        write = {"ndjson": _write_lines, "parquet": _write_row_groups, "fhir_ndjson": self._write_resources}[form]
        path = self._folder / form
        begun_s = time.process_time()
        with path.open("wb") as file:
            write(file, self._raw.execute(_QUERY))
            file.flush()
            os.fsync(file.fileno())
        elapsed_s = time.process_time() - begun_s
        path.unlink()
        return Done(ROWS, elapsed_s)

    def _write_resources(self, file: BinaryIO, cursor: sqlite3.Cursor) -> None:
        resource = self._resource
        (identifier,), value = resource["identifier"], resource["valueQuantity"]
        for rows in _pages(cursor, PAGE_ROWS):
            lines = []
            for row in rows:
                resource["id"] = identifier["value"] = str(uuid.uuid4())
                resource["effectiveDateTime"] = utc_text(row[_OBSERVED])
                value["value"] = row[_NUMBER]
                lines.append(orjson.dumps(resource, option=orjson.OPT_APPEND_NEWLINE))
            file.write(b"".join(lines))

    def _last_resource(self) -> dict[str, Any]:
        """Return the last resource of an export: an observation."""
        stored, _ = self._loop.run_until_complete(self._export("fhir_ndjson"))
        with (self._folder / "objects" / stored.name).open("rb") as file:
            *_, last = file
        self._loop.run_until_complete(self._objects.remove(stored.name))
        resource: dict[str, Any] = orjson.loads(last)
        return resource


def _pages(cursor: sqlite3.Cursor, count: int) -> Iterator[list[Any]]:
    while rows := cursor.fetchmany(count):
        yield rows


def _write_lines(file: BinaryIO, cursor: sqlite3.Cursor) -> None:
    for rows in _pages(cursor, PAGE_ROWS):
        lines = [
            orjson.dumps(
                {
                    **dict(zip(_COLUMNS, row, strict=True)),
                    "observed_at_us": utc_text(row[_OBSERVED]),
                    "received_at_us": utc_text(row[_RECEIVED]),
                },
                option=orjson.OPT_APPEND_NEWLINE,
            )
            for row in rows
        ]
        file.write(b"".join(lines))


def _write_row_groups(file: BinaryIO, cursor: sqlite3.Cursor) -> None:
    types = {"observed_at_us": pa.timestamp("us", tz="UTC"), "received_at_us": pa.timestamp("us", tz="UTC")}
    writer: pq.ParquetWriter | None = None
    for rows in _pages(cursor, GROUP_ROWS):
        columns = zip(*rows, strict=True)
        arrays = [pa.array(values, types.get(name)) for name, values in zip(_COLUMNS, columns, strict=True)]
        table = pa.table(arrays, names=list(_COLUMNS))
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)
    assert writer is not None
    writer.close()
