"""A reader finds each batch that was acknowledged before it called, under any sequence of events.

Two ingest processes, of which each gateway uses one or the other, and two readers share a database and a store of
objects. Arrivals, resends, writes, kills, and pauses in which a process serves no reader are chosen by a seed and run
at the same time. The store is slow, and in some courses it fails: before a write, or after it.
"""

import asyncio
import os
import random
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import suppress
from pathlib import Path

import pytest

from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ListedObject, LocalObjects, ObjectStoreUnavailable, StoredObject
from cloud.vehicles.custody import LaneKey, LaneMarks, LaneStore
from cloud.vehicles.ingest import outage, staged_elsewhere, staged_requests
from cloud.vehicles.verification.check import CustodyCheck
from protocols.uplink.envelope import Envelope
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import OPERATOR, TENANT, CloudUnderTest, StoppedClock
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.waveforms import waves

COURSES = int(os.environ.get("ARGUS_STAGED_COURSES", "1"))
FIRST_SEED = int(os.environ.get("ARGUS_SEED", "1"))
STEPS = 40
LANES = (Lane.NUMERIC, Lane.WAVEFORM)


async def turns(count: int) -> None:
    """Let the other tasks run this number of times."""
    for _ in range(count):
        await asyncio.sleep(0)


class TroubledObjects(LocalObjects):
    """A folder of objects that is slow, and fails with a given probability."""

    def __init__(self, folder: Path, dice: random.Random, failing: float) -> None:
        super().__init__(folder)
        self._dice = dice
        self.failing = failing

    async def put(self, name: str, data: bytes) -> StoredObject:
        await self._wait_or_fail()
        stored = await super().put(name, data)
        await self._wait_or_fail()
        return stored

    async def remove(self, name: str) -> None:
        await self._wait_or_fail()
        await super().remove(name)

    async def pages(self, prefix: str, *, after: str = "") -> AsyncIterator[Sequence[ListedObject]]:
        await self._wait_or_fail()
        async for page in super().pages(prefix, after=after):
            await turns(self._dice.choice([0, 3, 20]))
            yield page

    async def _wait_or_fail(self) -> None:
        await turns(self._dice.choice([0, 0, 1, 3, 20, 100]))
        if self._dice.random() < self.failing:
            raise ObjectStoreUnavailable


class Process:
    """An ingest process, and the task in which it looks for requests of readers; None while it is paused."""

    def __init__(self, cloud: CloudUnderTest) -> None:
        self.cloud = cloud
        self.receiving = asyncio.Lock()
        self._serving: asyncio.Future[None] | None = None

    def serve(self) -> None:
        if self._serving is None:
            self._serving = asyncio.ensure_future(self.cloud.staged.serve_requests())

    async def pause(self) -> None:
        serving, self._serving = self._serving, None
        if serving is not None:
            serving.cancel()
            with suppress(asyncio.CancelledError):
                await serving


class Course:
    """Random events in a region, and the batches that were acknowledged."""

    def __init__(self, seed: int, database: Database, folder: Path) -> None:
        self.dice = random.Random(seed)
        self._database = database
        self._clock = StoppedClock()
        self.store = TroubledObjects(folder, self.dice, self.dice.choice([0.0, 0.0, 0.05]))
        self.gateways = [GatewayInVehicle(gateway=f"gw_{number}", key_seed=number) for number in (5, 6)]
        self.processes = [Process(self._cloud(removes=True)) for _ in range(2)]
        self.readers = [self._cloud(removes=False) for _ in range(2)]
        self._sent: dict[LaneKey, list[Envelope]] = {}
        self._acknowledged: dict[LaneKey, int] = {}
        self._tasks: set[asyncio.Future[None]] = set()
        self.settled = 0

    def _cloud(self, *, removes: bool) -> CloudUnderTest:
        return CloudUnderTest(self._database, clock=self._clock, objects=self.store, staged=True, removes=removes)

    def begin(self, event: Awaitable[None]) -> None:
        self._tasks.add(asyncio.ensure_future(event))

    async def step(self) -> None:
        """Begin an event, and let the events run for some time."""
        process, what = self.dice.choice(self.processes), self.dice.random()
        if what < 0.45:
            self.begin(self._arrive(process, self.dice.choice(self.gateways), self.dice.choice(LANES)))
        elif what < 0.75:
            waveforms = self.dice.random() < 0.5
            self.begin(self.read(self.dice.choice([*self.readers, process.cloud]), waveforms=waveforms))
        elif what < 0.80:
            self.begin(_unless_away(process.cloud.staged.flush()))
        elif what < 0.84:
            self.begin(self._pause(process))
        elif what < 0.87:
            await self._kill(process)
        elif what < 0.90:
            self._clock.at_us += 200_000_000
            self.begin(_unless_away(process.cloud.staged.sweep()))
        await turns(self.dice.choice([0, 0, 1, 5, 50, 300]))
        if what > 0.95:
            await self.rest()

    async def rest(self) -> None:
        """Wait for all events."""
        tasks, self._tasks = self._tasks, set()
        await asyncio.gather(*tasks)

    async def _arrive(self, process: Process, gateway: GatewayInVehicle, lane: Lane) -> None:
        """Send a batch, behind those that are not acknowledged, and at times behind one that is."""
        envelope = waves(gateway) if lane is Lane.WAVEFORM else gateway.send(97.0)
        key = LaneKey(TENANT, gateway.gateway, envelope.batch.epoch, lane)
        sent = self._sent.setdefault(key, [])
        sent.append(envelope)
        through = self._acknowledged.setdefault(key, 0)
        async with process.receiving:
            if process not in self.processes:
                return  # it was killed meanwhile, and the batch is sent again
            before = len(process.cloud.handover.acks)
            await process.cloud.arrive(*sent[max(0, through - self.dice.choice([0, 0, 2])) :])
            for gateway_id, ack in process.cloud.handover.acks[before:]:
                own = LaneKey(TENANT, gateway_id, ack.epoch, ack.lane)
                if not ack.missing and not ack.conflict:
                    self._acknowledged[own] = max(ack.through_sequence, self._acknowledged.get(own, 0))

    async def read(self, cloud: CloudUnderTest, *, waveforms: bool) -> None:
        """Settle, and check that all is in the database that was acknowledged before."""
        due = dict(self._acknowledged)
        try:
            await cloud.ingest.settle(waveforms=waveforms)
        except DomainError:
            return
        async with self._database.read() as tx:
            rows = await LaneStore().read_lanes(tx, due)
        for key, through in due.items():
            marks = rows[key].marks if key in rows else LaneMarks()
            if waveforms or key.lane is Lane.NUMERIC:
                assert [number for number in range(1, through + 1) if not marks.covers(number)] == [], key
        self.settled += 1

    async def _pause(self, process: Process) -> None:
        await process.pause()
        await turns(self.dice.choice([5, 50, 500]))
        process.serve()

    async def _kill(self, process: Process) -> None:
        """Replace a process without writing what it has staged. The new one begins as a started process does."""
        async with process.receiving:
            await process.pause()
            started = Process(self._cloud(removes=True))
            self.processes[self.processes.index(process)] = started
        start = self.dice.choice([started.cloud.staged.settle_left, started.cloud.staged.write_left])
        await _unless_away(start())
        started.serve()


async def _unless_away(work: Awaitable[None]) -> None:
    with suppress(DomainError):
        await work


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let processes look and retry without delay."""
    for module, name, value in (
        (staged_elsewhere, "LOOK_S", 0.0),
        (staged_requests, "REQUESTS_S", 0.0),
        (staged_requests, "BEAT_S", 0.001),
        (staged_requests, "RETRY_S", 0.001),
        (outage, "OFF_S", 0.0),
    ):
        monkeypatch.setattr(module, name, value)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + COURSES))
async def test_reader_finds_what_was_acknowledged_before_under_any_course_of_events(
    seed: int, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = Course(seed, database, tmp_path / "objects")
    # A paused process counts as ended at once, or after longer than most pauses.
    monkeypatch.setattr(staged_elsewhere, "ANSWER_S", course.dice.choice([0.0, 0.01, 0.1]))
    monkeypatch.setattr(staged_elsewhere, "ENDED_S", course.dice.choice([0.0, 0.02, 10.0]))
    await course.processes[0].cloud.register(*course.gateways)
    for process in course.processes:
        process.serve()
    for _ in range(STEPS):
        await course.step()
    await course.rest()
    course.store.failing = 0.0
    for process in course.processes:
        process.serve()
    before = course.settled
    await course.read(course.readers[0], waveforms=True)
    assert course.settled == before + 1
    for process in course.processes:
        await process.pause()
        await process.cloud.staged.flush()
    check = CustodyCheck(database, StoppedClock(), OPERATOR, objects=course.store, with_rows=True)
    assert [finding for report in [one async for one in check.reports()] for finding in report.findings] == []
