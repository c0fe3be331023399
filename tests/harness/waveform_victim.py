"""A process whose children ingest waveforms and are killed, each at another step between receiving and acknowledging.

    python -m tests.harness.waveform_victim DATABASE_URL FOLDER KILLS SEED [staged]

A step is a statement of a transaction, a flush or rename of an object's file, the begin of a transaction, its commit,
and the acknowledgement. With `staged`, the second group of a child is staged, and its rows are written after the
acknowledgement. Each child receives the batches that are not acknowledged, as a gateway resends them. A child
is a fork, so that 300 of them need no 300 starts of Python. After each kill the process checks that every row of an
object has its object. A child that ends before its step is not counted. The process prints the number of children
that died by SIGKILL, which is KILLS.
"""

import os
import random
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import SqliteAddress, open_database, read_address
from cloud.foundation.db.transaction import Transaction
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.ingest import staged_elsewhere
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.envelope import Envelope
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.statement_count import CountingDatabase
from tests.builders.waveforms import many_waves
from tests.harness.forked_child import run_forked

SENT_MAX = 6
"""Batches that one child receives, in two groups: a vehicle that resends what is not acknowledged."""
STEPS_MAX = 60
"""The two groups have about so many steps, so most children are killed, some after their last step."""


class Steps:
    """Counts steps, and kills the process in place of step number `at`."""

    def __init__(self, at: int) -> None:
        self._left = at

    def passed(self) -> None:
        self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


class SteppedDatabase(CountingDatabase):
    """A database whose statements and commits are steps."""

    def __init__(self, database: Any, steps: Steps) -> None:
        self._steps = steps
        self._count = 0
        super().__init__(database)

    @property
    def statements(self) -> int:
        return self._count

    @statements.setter
    def statements(self, count: int) -> None:
        self._count = count
        if count:
            self._steps.passed()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._steps.passed()
        async with super().transaction() as tx:
            yield tx
        self._steps.passed()


def file_steps(steps: Steps) -> None:
    """Make every flush and rename of a file a step."""
    flush, rename = os.fsync, Path.rename

    def stepped_flush(descriptor: int) -> None:
        steps.passed()
        flush(descriptor)

    def stepped_rename(self: Path, target: Path) -> Path:
        steps.passed()
        return rename(self, target)

    os.fsync = stepped_flush
    Path.rename = stepped_rename  # type: ignore[method-assign,assignment]


def batches_of(kills: int) -> int:
    """Return the number of batches for this many kills: enough for two children that end beside each killed one."""
    return 3 * kills * SENT_MAX


def sent_batches(kills: int) -> list[Envelope]:
    return many_waves(GatewayInVehicle(), batches_of(kills))


async def ingest(url: str, folder: Path, sent: list[Envelope], steps: Steps, *, staged: bool) -> None:
    """Ingest what is not acknowledged, at most `SENT_MAX` batches; note each acknowledgement."""
    database = await open_database(url)
    try:
        stepped, objects = SteppedDatabase(database, steps), LocalObjects(folder / "objects")
        cloud_ = CloudUnderTest(stepped, objects=objects, staged=staged, removes=True)

        async def acknowledge(acks_due: Sequence[DueAck]) -> list[bool]:
            for due in acks_due:
                steps.passed()
                (folder / "acknowledged").write_text(str(due.ack.through_sequence))
                steps.passed()
            return [True] * len(acks_due)

        cloud_.handover.acknowledge = acknowledge  # type: ignore[method-assign]
        file_steps(steps)
        due = sent[acknowledged(folder) :][:SENT_MAX]
        receive = cloud_.arrive if staged else cloud_.take
        if staged:
            await cloud_.staged.settle_left()
        for some in (due[: SENT_MAX // 2], due[SENT_MAX // 2 :]):
            if some:
                await receive(*some)
        await cloud_.ingest.settle()
    finally:
        await database.close()


def acknowledged(folder: Path) -> int:
    path = folder / "acknowledged"
    text = path.read_text() if path.exists() else ""
    return int(text or 0)


def run_child(url: str, folder: Path, sent: list[Envelope], killed_at: int, *, staged: bool) -> int:
    """Run one child; return its exit status."""
    return run_forked(lambda: ingest(url, folder, sent, Steps(killed_at), staged=staged))


def check_objects(url: str, folder: Path) -> None:
    address = read_address(url)
    if not isinstance(address, SqliteAddress):
        return  # the test looks at the end
    connection = sqlite3.connect(address.path)
    names = [name for (name,) in connection.execute("SELECT name FROM waveform_objects")]
    connection.close()
    lacking = [name for name in names if not (folder / "objects" / name).exists()]
    assert not lacking, f"rows of absent objects: {lacking}"


def main(url: str, folder: Path, kills: int, seed: int, *, staged: bool) -> int:
    staged_elsewhere.ANSWER_S = 0.0  # at most one child lives
    sent, chance, killed = sent_batches(kills), random.Random(seed), 0
    while killed < kills:
        assert acknowledged(folder) < len(sent), f"only {killed} of {kills} children were killed"
        status = run_child(url, folder, sent, chance.randint(1, STEPS_MAX), staged=staged)
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        killed += status == -signal.SIGKILL
        check_objects(url, folder)
    while acknowledged(folder) < len(sent):
        assert run_child(url, folder, sent, 0, staged=staged) == 0
    return killed


if __name__ == "__main__":
    print(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), staged="staged" in sys.argv))
