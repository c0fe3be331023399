"""`buffer.*`: the rate at which observations are made durable, and the rate at which they are read and acknowledged.

Commit: batches of a thousand observations. Each batch is appended when the previous one is durable, so every batch is
its own commit with synchronous=FULL: split by lane, encoded, compressed, hashed into the chain, sealed, written and
flushed. The values are those of oximeter reports, all different. The reference is the simplest store: a thousand rows
of nine columns, `executemany`, the same flush, one process, one thread, no event loop.

Drain: chunks of batches are read, opened and checked, signed, put into envelopes and sent through a socket. The far
side acknowledges each batch; the acknowledgements are decoded and applied, and the position of the last one is flushed.
The reference selects a thousand rows, and deletes them with the same flush.

The stores are in the directory for temporary files: set TMPDIR to measure another disk.
"""

import asyncio
import shutil
import socket
import sqlite3
import struct
import tempfile
import threading
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from gateway.buffer import Buffer, BufferSettings
from gateway.transports.clock import SystemClock
from protocols.device_time import absolute_time
from protocols.observation import Observation
from protocols.uplink.acks import Ack, decode_ack, encode_ack
from protocols.uplink.envelope import Envelope, encode_envelope, sign_batch
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations
from tests.builders.buffer_observations import PULSE_RATE, SATURATION, section
from tests.builders.buffer_store import GATEWAY, KEY, new_store

Run = Callable[[], int]

BATCH = 1000
BATCHES = 100
"""Batches in one run, all different, so that caches do not help."""

HELPING = 32
"""Batches read at once, as in the uplink."""

_HEAD = struct.Struct(">II")
_BEGUN = datetime(2025, 1, 1, tzinfo=UTC)


def measure_commit() -> tuple[Run, Run]:
    """Return two runs: observations appended and made durable, and rows inserted and made durable."""
    folder = _folder()
    store = _OpenStore(folder)
    sections = [[_section(number)] for number in range(BATCHES)]
    connection = _raw(folder.joinpath("raw.db"))
    rows = [[_row(o) for o in part[0].observations] for part in sections]

    async def append_all() -> int:
        for part in sections:
            await store.buffer.append_sections(part)
        return BATCH * BATCHES

    def reference() -> int:
        for batch in rows:
            _insert(connection, batch)
        return BATCH * BATCHES

    return lambda: store.run(append_all()), reference


def measure_drain() -> tuple[Run, Run]:
    """Return two runs: observations read, sent and acknowledged, and rows selected and deleted."""
    folder = _folder()
    store = _OpenStore(folder)
    filled = folder / "filled.db"
    connection = _raw(filled)
    for number in range(BATCHES):
        part = _section(number)
        store.run(store.buffer.append_sections([part]))
        _insert(connection, [_row(o) for o in part.observations])
    connection.close()
    key = Ed25519PrivateKey.generate()
    far = _FarSide(store.buffer.epoch)

    async def drain() -> int:
        buffer = store.buffer
        await buffer.rewind(Lane.NUMERIC, 0)
        after = drained = 0
        while helping := await buffer.next_batches(
            Lane.NUMERIC, after=after, limit_batches=HELPING, limit_bytes=1 << 20
        ):
            for batch in helping:
                far.send(batch.sequence, encode_envelope(Envelope(batch=batch, signature=sign_batch(batch, key))))
                drained += batch.count
            for _ in helping:
                await buffer.acknowledge(far.answer())
            after = helping[-1].sequence
        await buffer.flush()
        assert buffer.marks()[Lane.NUMERIC].backlog_batches == 0
        return drained

    def reference() -> int:
        copy = folder / "copy.db"
        shutil.copyfile(filled, copy)  # takes some milliseconds; each run deletes the rows
        rows = _raw(copy)
        drained = 0
        while found := rows.execute("SELECT * FROM observations ORDER BY id LIMIT ?", (BATCH,)).fetchall():
            rows.execute("BEGIN IMMEDIATE")
            rows.execute("DELETE FROM observations WHERE id <= ?", (found[-1][0],))
            rows.execute("COMMIT")
            drained += len(found)
        rows.close()
        return drained

    return lambda: store.run(drain()), reference


class _OpenStore:
    """An open buffer and its event loop, so that a run can be a plain function."""

    def __init__(self, folder: Path) -> None:
        self._loop = asyncio.new_event_loop()
        # Without an interval, each append is its own commit, because the next append waits for it.
        settings = BufferSettings(commit_interval_s=0.0)
        path = new_store(folder)
        self.buffer: Buffer = self._loop.run_until_complete(
            Buffer.open(path, gateway=GATEWAY, key=KEY, settings=settings, clock=SystemClock())
        )

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)


class _FarSide:
    """The other end of a socket, which acknowledges each envelope, as the cloud does."""

    def __init__(self, epoch: str) -> None:
        self._near, self._far = socket.socketpair()
        self._answers = self._near.makefile("rb")
        self._epoch = epoch
        threading.Thread(target=self._read, daemon=True).start()

    def send(self, sequence: int, octets: bytes) -> None:
        self._near.sendall(_HEAD.pack(sequence, len(octets)) + octets)

    def answer(self) -> Ack:
        (size,) = struct.unpack(">I", self._answers.read(4))
        return decode_ack(self._answers.read(size))

    def _read(self) -> None:
        stream = self._far.makefile("rb")
        while head := stream.read(_HEAD.size):
            sequence, size = _HEAD.unpack(head)
            stream.read(size)
            octets = encode_ack(Ack(epoch=self._epoch, lane=Lane.NUMERIC, through_sequence=sequence))
            self._far.sendall(struct.pack(">I", len(octets)) + octets)


def _section(number: int) -> DeviceObservations:
    """Return section `number`: five hundred oximeter reports of two observations each. The reports of consecutive
    sections continue one another, 10 ms apart."""
    observations = []
    for report in range(number * BATCH // 2, (number + 1) * BATCH // 2):
        taken = absolute_time(_BEGUN + timedelta(milliseconds=10 * report))
        received_s = 1000.0 + report * 0.01 + report % 7 * 1e-5
        observations.append(Observation(SATURATION, 90.0 + report % 10, None, 0, taken, received_s))
        observations.append(Observation(PULSE_RATE, 60.0 + report % 40, None, 0, taken, received_s))
    return section(observations)


def _row(observation: Observation) -> tuple[object, ...]:
    """Return an observation as the nine columns of the reference's table."""
    channel = observation.channel
    unit = channel.unit.code if channel.unit is not None else None
    time = observation.device_time.octets if observation.device_time is not None else None
    said = (observation.value, unit, observation.status, time, observation.received_s)
    return (None, 1, channel.handle, channel.type.code, *said)


def _raw(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute(
        "CREATE TABLE IF NOT EXISTS observations (id INTEGER PRIMARY KEY, device INTEGER, handle INTEGER, type INTEGER,"
        " value REAL, unit INTEGER, status INTEGER, device_time BLOB, received_s REAL)"
    )
    return connection


def _insert(connection: sqlite3.Connection, rows: list[tuple[object, ...]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.execute("COMMIT")


def _folder() -> Path:
    """Return a new directory, which is removed when the process ends."""
    folder = tempfile.TemporaryDirectory(prefix="argus-bench-")
    _FOLDERS.append(folder)
    return Path(folder.name)


_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
