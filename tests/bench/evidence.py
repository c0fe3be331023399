"""`evidence.ingest`: the ingest of an encounter with evidence, against the same ingest without, on both databases.

An encounter of ten minutes: it begins, its vehicle sends two batches of 250 readings each second in groups of eight, as
a busy ingest writes them, and it ends. With evidence, its begin and its end are recorded, and the batches are
referenced as the worker does: twice in the first ten minutes and after the end. A ratio of 0.9 is evidence that costs a
tenth of the ingest.
"""

import atexit
import itertools
import logging
import shutil
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import structlog

from cloud.clinical.epcr import Epcr, MissionChange, Missions
from cloud.foundation.db import Database, open_database
from cloud.foundation.event_loop import run_service
from protocols.epcr.encounter import EncounterStatus
from tests.bench.frame import Done
from tests.builders.evidence import EvidenceRoom
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.harness.databases import migrated_file
from tests.harness.postgresql import TEMPLATE, postgresql_running

SECONDS = 600
BATCHES_A_SECOND = 2
READINGS = 250
GROUP = 8
LOOKS = 3
"""Times at which the worker references batches."""
_NUMBERS = itertools.count(1)


def measure_ingest() -> tuple[Callable[[], Done], Callable[[], Done]]:
    """Return two runs on SQLite: an encounter with evidence, and one without."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))

    def run(*, with_evidence: bool) -> Done:
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{shutil.copy(migrated_file(), Path(folder) / 'cloud.db')}"
            return run_service(_run(url, with_evidence=with_evidence))

    return partial(run, with_evidence=True), partial(run, with_evidence=False)


def measure_ingest_postgresql() -> tuple[Callable[[], Done], Callable[[], Done]]:
    """Return two runs on PostgreSQL: an encounter with evidence, and one without. Each has a new database."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    kept = ExitStack()
    atexit.register(kept.close)
    cluster = kept.enter_context(postgresql_running())

    def run(*, with_evidence: bool) -> Done:
        name = f"evidence_{next(_NUMBERS)}"
        cluster.administer(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        try:
            return run_service(_run(cluster.url(name), with_evidence=with_evidence))
        finally:
            cluster.administer(f"DROP DATABASE {name} WITH (FORCE)")

    return partial(run, with_evidence=True), partial(run, with_evidence=False)


async def _run(url: str, *, with_evidence: bool) -> Done:
    database = await open_database(url)
    try:
        return await _encounter(database, with_evidence=with_evidence)
    finally:
        await database.close()


async def _encounter(database: Database, *, with_evidence: bool) -> Done:
    gateway = GatewayInVehicle()
    cloud = await CloudUnderTest(database).register(gateway)
    room = EvidenceRoom(database, cloud.clock, cloud.ids)
    evidence = room.of_encounters if with_evidence else None
    epcr = Epcr(database, cloud.clock, cloud.ids, evidence=evidence)
    missions = Missions(database, cloud.clock, cloud.ids, evidence)
    values = [float(90 + number % 10) for number in range(READINGS)]
    sent = [gateway.send(*values) for _ in range(SECONDS * BATCHES_A_SECOND)]
    groups = [sent[begin : begin + GROUP] for begin in range(0, len(sent), GROUP)]
    begun_s = time.perf_counter()
    encounter = await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE)
    for number, group in enumerate(groups):
        await cloud.take(*group)
        if with_evidence and number % (len(groups) // (LOOKS - 1)) == 0:
            await room.following.turn()
        cloud.clock.at_us += GROUP * 1_000_000 // BATCHES_A_SECOND
    await missions.change(OPERATOR, encounter.id, MissionChange(status=EncounterStatus.COMPLETED))
    if with_evidence:
        await room.following.turn()
    return Done(len(sent) * READINGS, time.perf_counter() - begun_s)
