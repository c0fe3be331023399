"""Readable batches of a set-aside store are saved under the epoch of that store; gap records cover unreadable batches.

An epoch is one life of a gateway's store, with sequences of its own.
"""

import random
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import database
from gateway.buffer.database import EARLIER_PAGE_BYTES, PAGE_BYTES
from gateway.buffer.errors import Trouble
from gateway.buffer.recovery import Recovered, recover
from gateway.buffer.rows import position_of
from gateway.buffer.set_aside import survey
from gateway.buffer.statements import OUTBOX
from gateway.buffer.store_reader import StoreReader
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import Batch, BatchKind
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section
from tests.builders.buffer_store import GATEWAY, KEY, OTHER_KEY, QUICK, acked, new_store, opened
from tests.builders.damaged_stores import damage_leaf_page, filled_store, overwrite
from tests.gateway.buffer.test_chain import verdict

LANES = (Lane.EVENT, Lane.NUMERIC, Lane.WAVEFORM)


def saved(path: Path, *, unsent_only: bool = False, key: bytes = KEY) -> tuple[Recovered, Path]:
    target = path.with_name("recovered")
    aside = survey(path, why="", trouble=Trouble.DAMAGED)
    return recover(aside, target, gateway=GATEWAY, key=key, unsent_only=unsent_only), target


def batches_in(path: Path, lane: Lane, *, after: int = 0) -> list[Batch]:
    outbox = StoreReader(path, gateway=GATEWAY, key=KEY)
    found, damaged = outbox.next_batches(
        lane, after=after, last=outbox.last()[lane], limit_batches=9999, limit_bytes=1 << 30
    )
    outbox.close()
    assert damaged is None
    return found


async def test_undamaged_store_is_recovered_completely_from_its_file_and_its_write_ahead_log(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_event(connected())
        log = path.with_name(path.name + "-wal").read_bytes()
        file = path.read_bytes()
        marks, epoch = buffer.marks(), buffer.epoch
    path.write_bytes(file)
    path.with_name(path.name + "-wal").write_bytes(log)
    outcome, target = saved(path)
    assert (outcome.epoch, outcome.lost_batches) == (epoch, 0)
    for lane in LANES:
        batches = batches_in(target, lane)
        assert len(batches) == marks[lane].last
        assert isinstance(verdict(batches, epoch, lane), Intact)


@pytest.mark.finding("reliability-A3")
@pytest.mark.parametrize("lane", LANES)
async def test_only_the_rows_of_a_damaged_page_are_lost_and_counted_in_a_gap_record(tmp_path: Path, lane: Lane) -> None:
    path = await filled_store(tmp_path)
    async with opened(path) as buffer:
        marks, epoch = buffer.marks(), buffer.epoch
    damage_leaf_page(path, lane, random.Random(7).randbytes(PAGE_BYTES))
    outcome, target = saved(path)
    assert outcome.epoch == epoch
    for each in LANES:
        batches = batches_in(target, each)
        found = verdict(batches, epoch, each)
        assert isinstance(found, Intact), each
        assert found.through == marks[each].last
        gaps = [decode_gap(batch.payload) for batch in batches if batch.kind is BatchKind.GAP]
        assert {gap.why for gap in gaps} <= {GapReason.DAMAGED}
        held = sum(batch.count for batch in batches if batch.kind is BatchKind.OBSERVATIONS)
        assert held + sum(gap.observations for gap in gaps) == marks[each].backlog_observations, "every one is counted"
    assert 0 < outcome.lost_batches < 40, "a page and no more"
    assert outcome.lanes[lane].lost_batches == outcome.lost_batches


@pytest.mark.finding("reliability-A3")
@pytest.mark.parametrize("page_bytes", [PAGE_BYTES, EARLIER_PAGE_BYTES])
async def test_store_without_a_readable_first_page_is_recovered_from_its_other_pages(
    tmp_path: Path, page_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "PAGE_BYTES", page_bytes)
    path = await filled_store(tmp_path)
    async with opened(path) as buffer:
        marks, epoch = buffer.marks(), buffer.epoch
    path.with_name(path.name + ".marks").unlink()
    overwrite(path, 0, bytes(page_bytes))
    outcome, _ = saved(path)
    assert outcome.epoch == epoch
    assert {lane: each.batches for lane, each in outcome.lanes.items()} == {lane: marks[lane].last for lane in Lane}


async def test_recovery_of_unsent_batches_starts_after_the_last_acknowledged_batch(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 30))
        await buffer.flush()
    outcome, target = saved(path, unsent_only=True)
    assert [batch.sequence for batch in batches_in(target, Lane.NUMERIC, after=30)] == list(range(31, 41))
    assert outcome.lost_batches == 0


async def test_lost_newest_version_of_a_grown_batch_is_counted_as_lost_and_not_replaced_by_an_older_one(
    tmp_path: Path,
) -> None:
    path = new_store(tmp_path)
    async with opened(path, settings=replace(QUICK, batch_s=1.0)) as buffer:
        await buffer.append_sections([section(numerics(2))])
        older = _row(path, 1)
        await buffer.append_sections([section(numerics(3))])
        await buffer.flush()
        await buffer.append_sections([section(numerics(1))])
        epoch = buffer.epoch
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(OUTBOX["replace_batch"], older)
    outcome, target = saved(path)
    gap, batch = batches_in(target, Lane.NUMERIC)
    assert decode_gap(gap.payload).observations == 5
    assert (batch.sequence, outcome.lost_batches) == (2, 1)
    assert isinstance(verdict([gap, batch], epoch, Lane.NUMERIC), Intact)


def _row(path: Path, sequence: int) -> tuple[object, ...]:
    """Return the columns of a numeric batch."""
    with closing(sqlite3.connect(path)) as connection:
        found = connection.execute("SELECT * FROM batches WHERE position = ?", (position_of(Lane.NUMERIC, sequence),))
        columns: tuple[object, ...] = found.fetchone()
    return columns


async def test_recovery_with_another_key_recovers_no_batch(tmp_path: Path) -> None:
    path = await filled_store(tmp_path)
    outcome, _ = saved(path, key=OTHER_KEY)
    assert outcome.batches == 0
