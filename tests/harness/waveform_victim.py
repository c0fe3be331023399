"""A process whose children ingest numerics and waveforms and are killed, each at another step between receiving and
acknowledging.

    python -m tests.harness.waveform_victim DATABASE_URL FOLDER KILLS SEED [staged]

A step is the begin of a transaction, a statement of it, its commit, a flush or rename of an object's file, the removal
of an object, and the acknowledgement. With `staged`, the second group of a child is staged, and its rows are written
after the acknowledgement: those of numerics are minute rows, whose envelopes are in an object that is announced before
it is put. Each child receives the batches that are not acknowledged, as a gateway resends them. A child is a fork, so
that 300 of them need no 300 starts of Python. After each kill the process checks that every row of an object has its
object. A child that ends before its step is not counted.

The last printed line is JSON: `killed` has the name of the step of each child that died by SIGKILL, KILLS names, and
`acknowledged` has the number of acknowledged batches of each lane. The last child is not killed, so all batches that
were sent are acknowledged.
"""

import json
import random
import signal
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from cloud.foundation.db import SqliteAddress, open_database, read_address
from cloud.vehicles.ingest import staged_elsewhere
from cloud.vehicles.ingest.source import DueAck
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle, readings, section
from tests.builders.waveforms import many_waves
from tests.harness.forked_child import run_forked
from tests.harness.placed_database import PlacedDatabase
from tests.harness.steps import NamedSteps, SteppedObjects, StepPlan, Steps, file_steps

SENT_MAX = 4
"""Batches of a lane that one child receives, in two groups: a vehicle that resends what is not acknowledged."""
VALUES = 4
"""Values of a numeric batch, one a second: enough for minute rows."""
LANES = (Lane.NUMERIC, Lane.WAVEFORM)

Sent = Mapping[Lane, Sequence[Envelope]]


def values_of(number: int) -> list[float]:
    """Return the values of the numeric batch with this place in its lane."""
    return [float(number % 1_000 + place) for place in range(VALUES)]


def sent_batches(kills: int) -> Sent:
    """Return the batches for this many kills: enough for two children that end beside each killed one."""
    count, gateway = 3 * (kills + 1) * SENT_MAX, GatewayInVehicle()
    numerics = [
        gateway.send_sections([section(readings(*values_of(number), at_s=float(60 + VALUES * number)))])
        for number in range(count)
    ]
    return {Lane.NUMERIC: numerics, Lane.WAVEFORM: many_waves(gateway, count)}


def acknowledged(folder: Path, lane: Lane) -> int:
    path = folder / f"acknowledged-{lane.value}"
    text = path.read_text() if path.exists() else ""
    return int(text or 0)


def note_acknowledged(folder: Path, due: DueAck, steps: Steps) -> None:
    lane = due.ack.lane.value
    steps.passed(f"acknowledge {lane}")
    (folder / f"acknowledged-{lane}").write_text(str(due.ack.through_sequence))
    steps.passed(f"acknowledged {lane}")


async def ingest(url: str, folder: Path, sent: Sent, steps: NamedSteps, *, staged: bool) -> None:
    """Ingest what is not acknowledged, at most `SENT_MAX` batches of each lane; note each acknowledgement."""
    database = await open_database(url)
    try:
        stepped, objects = PlacedDatabase(database, steps.in_database), SteppedObjects(folder / "objects", steps)
        cloud_ = CloudUnderTest(stepped, objects=objects, staged=staged, removes=True)

        async def acknowledge(acks_due: Sequence[DueAck]) -> list[bool]:
            for due in acks_due:
                note_acknowledged(folder, due, steps)
            return [True] * len(acks_due)

        cloud_.handover.acknowledge = acknowledge  # type: ignore[method-assign]
        file_steps(steps)
        due = [sent[lane][acknowledged(folder, lane) :][:SENT_MAX] for lane in LANES]
        receive = cloud_.arrive if staged else cloud_.take
        if staged:
            await cloud_.staged.settle_left()
        for part in (slice(SENT_MAX // 2), slice(SENT_MAX // 2, None)):
            if some := list(chain.from_iterable(of_lane[part] for of_lane in due)):
                await receive(*some)
        await cloud_.ingest.settle()
    finally:
        await database.close()
    steps.note()


def check_objects(url: str, folder: Path) -> None:
    address = read_address(url)
    if not isinstance(address, SqliteAddress):
        return  # the test looks at the end
    connection = sqlite3.connect(address.path)
    # An announced object, which no run refers to, is put after its row.
    found = connection.execute(
        "SELECT name FROM waveform_objects WHERE unused_us IS NULL"
        " OR object_id IN (SELECT object_id FROM waveform_runs)"
    )
    names = [name for (name,) in found]
    connection.close()
    lacking = [name for name in names if not (folder / "objects" / name).exists()]
    assert not lacking, f"rows of absent objects: {lacking}"


def main(url: str, folder: Path, kills: int, seed: int, *, staged: bool) -> dict[str, Any]:
    staged_elsewhere.ANSWER_S = 0.0  # at most one child lives
    sent, plan, path = sent_batches(kills), StepPlan(random.Random(seed)), folder / "steps"
    killed: list[str] = []

    def run_child(step: str = "", at: int = 0) -> int:
        return run_forked(lambda: ingest(url, folder, sent, NamedSteps(step, at, path), staged=staged))

    while len(killed) < kills:
        left = min(len(sent[lane]) - acknowledged(folder, lane) for lane in LANES)
        assert left > SENT_MAX, f"only {len(killed)} of {kills} children were killed"
        status = run_child(*plan.choose())
        assert status in (0, -signal.SIGKILL), f"a child ended with {status}"
        names = path.read_text().splitlines()
        plan.learn(names)
        if status:
            killed.append(names[-1])
        check_objects(url, folder)
    assert run_child() == 0
    check_objects(url, folder)
    return {"killed": killed, "acknowledged": {lane.value: acknowledged(folder, lane) for lane in LANES}}


if __name__ == "__main__":
    url, folder, kills, seed = sys.argv[1:5]
    print(json.dumps(main(url, Path(folder), int(kills), int(seed), staged="staged" in sys.argv)))
