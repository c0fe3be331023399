"""The store loses and duplicates nothing under any sequence of operations.

Random appends, events, acknowledgements, rewinds, retention, restarts and damaged batches, chosen by a seed, run on a
store that is too small for them. The store is checked repeatedly: each appended value is stored, or counted in a gap
record (a record of lost batches), and the hash chain of each lane is intact.
"""

import os
import random
import sqlite3
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, BufferSettings, StoreFull
from gateway.buffer.rows import position_of
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import decode_block
from tests.builders.buffer_observations import connected, noisy_numerics, numerics, section, waveform
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane
from tests.gateway.buffer.test_chain import verdict
from tests.harness.moved_clock import MovedClock

SMALL = replace(
    QUICK,
    disk_budget_bytes=300_000,
    file_bytes_max=400_000,
    reserve_bytes=128 << 10,
    retention_s=600.0,
    gap_span_s=300.0,
    gaps_max=8,
    tidy_interval_s=3600.0,
    block_observations_max=150,
)
BY_TIME = replace(SMALL, batch_s=1.0)
"""Batches take observations until the clock is moved."""
CHAPTERS = 9
STEPS = 40
COURSES = int(os.environ.get("ARGUS_BUFFER_COURSES", "2"))
FIRST_SEED = int(os.environ.get("ARGUS_SEED", "1"))


class Course:
    """Random operations on one store, and the counts that the store's content must match."""

    def __init__(self, seed: int) -> None:
        self.rng = random.Random(seed)
        self.clock = MovedClock()
        self.appended = {Lane.NUMERIC: 0, Lane.WAVEFORM: 0}
        self.refused = dict.fromkeys(self.appended, 0)
        self.events = 0
        self.next_value = 0.0

    async def step(self, buffer: Buffer) -> None:
        what = self.rng.randrange(24)
        if what < 18:
            await self.append(buffer)
        elif what == 18:
            self.events += 1
            await buffer.append_event(connected())
        elif what == 19:
            lane = self.rng.choice(list(Lane))
            await buffer.acknowledge(acked(buffer, lane, self.rng.randint(0, buffer.marks()[lane].last)))
        elif what == 20:
            lane = self.rng.choice(list(Lane))
            await buffer.rewind(lane, self.rng.randint(0, buffer.marks()[lane].acked))
        elif what < 23:
            await self.clock.advance(self.rng.uniform(0, 400))
        else:
            await buffer.tidy()

    async def append(self, buffer: Buffer) -> None:
        few = numerics(self.rng.randint(1, 5), first=self.next_value)
        many = noisy_numerics(self.rng.randint(100, 400), seed=self.rng.randrange(1 << 30))
        curves = waveform(self.rng.randint(1, 3), samples=self.rng.randint(100, 9000))
        said = self.rng.choice([few, many, curves, few + curves])
        curve_count = sum(o.samples is not None for o in said)
        counts = {Lane.NUMERIC: len(said) - curve_count, Lane.WAVEFORM: curve_count}
        live = self.rng.random() < 0.5
        try:
            await (buffer.append_live if live else buffer.append_sections)([section(said)])
            self.appended = {lane: count + counts[lane] for lane, count in self.appended.items()}
        except StoreFull:
            self.refused = {lane: count + counts[lane] for lane, count in self.refused.items()}

    async def check(self, buffer: Buffer) -> None:
        for lane in Lane:
            batches = await whole_lane(buffer, lane)
            marks = buffer.marks()[lane]
            assert isinstance(found := verdict(batches, buffer.epoch, lane), Intact), (lane, found)
            assert found.through == marks.last
            assert marks.acked <= marks.last
            gaps = [decode_gap(batch.payload) for batch in batches if batch.kind is BatchKind.GAP]
            if lane in self.appended:
                kept = sum(
                    len(part.observations)
                    for batch in batches
                    if batch.kind is BatchKind.OBSERVATIONS
                    for part in decode_block(batch.payload)
                )
                counted = sum(gap.observations for gap in gaps)
                assert kept + counted == self.appended[lane] + self.refused[lane], lane
        events = await whole_lane(buffer, Lane.EVENT)
        gone = [decode_gap(batch.payload) for batch in events if batch.kind is BatchKind.GAP]
        # The store adds its own events; a given event is never dropped before it has arrived.
        assert {gap.why for gap in gone} <= {GapReason.RETENTION, GapReason.CLOUD_RESTORED, GapReason.DAMAGED}
        assert sum(batch.kind is BatchKind.EVENT for batch in events) + sum(gap.batches for gap in gone) >= self.events


@pytest.mark.parametrize("settings", [SMALL, BY_TIME], ids=["each-commit", "by-time"])
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + COURSES))
async def test_every_observation_is_stored_or_counted_as_lost_after_random_operations(
    tmp_path: Path, seed: int, settings: BufferSettings
) -> None:
    print(f"seed {seed}")
    course = Course(seed)
    path = new_store(tmp_path)
    for chapter in range(CHAPTERS):
        async with opened(path, settings=settings, clock=course.clock) as buffer:
            for _ in range(STEPS):
                await course.step(buffer)
            await _flush(buffer)
            if buffer.store_state != "ok":  # an open record of loss can be read only once it is closed
                await course.clock.advance(61.0)
                await buffer.tidy()
            await course.check(buffer)
        if chapter % 3 == 2:
            _harm(path, course.rng)


async def _flush(buffer: Buffer) -> None:
    """Cut the open batches. On a full disk, where the acknowledgements find no room, they are cut all the same."""
    with suppress(StoreFull):
        await buffer.flush()


def _harm(path: Path, rng: random.Random) -> None:
    """Damage the row of one numeric batch: overwrite its nonce with zeros."""
    connection = sqlite3.connect(path)
    low, high = position_of(Lane.NUMERIC, 0), position_of(Lane.WAVEFORM, 0)
    rows = connection.execute(
        "SELECT position FROM batches WHERE kind = 1 AND position BETWEEN ? AND ?", (low, high)
    ).fetchall()
    if rows:
        connection.execute("UPDATE batches SET nonce = zeroblob(24) WHERE position = ?", rng.choice(rows))
        connection.commit()
    connection.close()
