"""A damaged block is set aside, reported and replaced by a gap record (a record of lost batches); later batches of its
lane stay readable.
"""

import random
import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.buffer import Buffer, BufferUnusable
from gateway.buffer.rows import position_of
from protocols.provenance.hash_chain import Intact
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import decode_event
from protocols.uplink.gaps import GapReason, decode_gap
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import numerics, section
from tests.builders.buffer_store import QUICK, acked, new_store, opened, through, whole_lane
from tests.gateway.buffer.test_chain import verdict

BATCHES = 9


async def filled(folder: Path) -> Path:
    path = new_store(folder)
    async with opened(path) as buffer:
        for n in range(BATCHES):
            await buffer.append_sections([section(numerics(3, first=10.0 * n))])
    return path


def change(path: Path, sequence: int, statement: str) -> None:
    """Execute the SQL `statement` on the row of the numeric batch with this sequence, without the code of the store."""
    with sqlite3.connect(path) as connection:
        connection.execute(statement, {"at": position_of(Lane.NUMERIC, sequence)})
    connection.close()


FLIP = (
    "UPDATE batches SET sealed = CAST(substr(sealed, 1, 20) || x'00' || substr(sealed, 22) AS BLOB)"
    " WHERE position = :at"
)
HARMS = {
    "payload": FLIP,
    "nonce": "UPDATE batches SET nonce = zeroblob(24) WHERE position = :at",
    "short nonce": "UPDATE batches SET nonce = x'00' WHERE position = :at",
    "count": "UPDATE batches SET count = count + 1 WHERE position = :at",
    "time": "UPDATE batches SET kept_us = kept_us + (1 << 60) WHERE position = :at",
    "previous hash": "UPDATE batches SET previous_hash = zeroblob(32) WHERE position = :at",
    "hash of no length": "UPDATE batches SET previous_hash = x'' WHERE position = :at",
    "kind": "UPDATE batches SET kind = 2 WHERE position = :at",
    "unknown kind": "UPDATE batches SET kind = 77 WHERE position = :at",
    "negative through": "UPDATE batches SET through = -5 WHERE position = :at",
    "gone": "DELETE FROM batches WHERE position = :at",
}


async def check_healed(buffer: Buffer, sequence: int) -> None:
    """Assert that a gap record (a record of lost batches) replaces only the batch `sequence`, and that the event lane
    reports the damage."""
    batches = await whole_lane(buffer, Lane.NUMERIC)
    assert [batch.sequence for batch in batches] == list(range(1, BATCHES + 1))
    assert [batch.sequence for batch in batches if batch.kind is BatchKind.GAP] == [sequence]
    gap = decode_gap(batches[sequence - 1].payload)
    assert (gap.from_sequence, gap.through_sequence, gap.why) == (sequence, sequence, GapReason.DAMAGED)
    found = verdict(batches, buffer.epoch, Lane.NUMERIC)
    assert isinstance(found, Intact)
    assert (found.through, found.stood_in) == (BATCHES, 1)
    (event,) = [decode_event(batch.payload) for batch in await whole_lane(buffer, Lane.EVENT)]
    assert (event.name, event.fields["first"]) == ("store.block_damaged", sequence)


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
@pytest.mark.parametrize("sequence", [1, 5])
async def test_damaged_block_in_a_lane_does_not_stop_the_reading_of_later_batches(
    tmp_path: Path, harm: str, sequence: int
) -> None:
    path = await filled(tmp_path)
    change(path, sequence, harm)
    async with opened(path) as buffer:
        await check_healed(buffer, sequence)
        assert await buffer.quarantined() == (0 if harm == HARMS["gone"] else 1)
        await buffer.append_sections([section(numerics(1, first=777.0))])
        assert [record.value async for record in buffer.records(lane=Lane.NUMERIC, limit=99)][-1] == 777.0
    async with opened(path) as buffer:
        assert (await whole_lane(buffer, Lane.NUMERIC, after=BATCHES))[0].count == 1


@pytest.mark.parametrize("harm", [pytest.param(harm, id=name) for name, harm in HARMS.items() if name != "gone"])
async def test_damaged_last_block_is_replaced_by_a_gap_record_when_the_store_opens(tmp_path: Path, harm: str) -> None:
    path = await filled(tmp_path)
    change(path, BATCHES, harm)
    async with opened(path) as buffer:
        await check_healed(buffer, BATCHES)
        await buffer.append_sections([section(numerics(1))])
        batches = await whole_lane(buffer, Lane.NUMERIC)
        found = verdict(batches, buffer.epoch, Lane.NUMERIC)
        assert isinstance(found, Intact)
        assert found.through == BATCHES + 1


@pytest.mark.parametrize("sequence", [1, 5, BATCHES])
async def test_damaged_hash_column_is_recomputed_from_the_content_and_no_batch_is_lost(
    tmp_path: Path, sequence: int
) -> None:
    path = await filled(tmp_path)
    change(path, sequence, "UPDATE batches SET row_hash = zeroblob(32) WHERE position = :at")
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(1))])
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert {batch.kind for batch in batches} == {BatchKind.OBSERVATIONS}
        assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)


async def test_consecutive_missing_batches_are_replaced_by_one_gap_record(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    for sequence in (4, 5, 6):
        change(path, sequence, HARMS["gone"])
    async with opened(path) as buffer:
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert [(batch.sequence, through(batch)) for batch in batches][3] == (4, 6)
        assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)


async def test_acknowledged_batches_are_deleted_by_age_when_some_of_them_are_damaged(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    for sequence, harm in ((1, "unknown kind"), (3, "payload"), (5, "gone"), (6, "hash of no length")):
        change(path, sequence, HARMS[harm])
    async with opened(path, settings=replace(QUICK, retention_s=0.0)) as buffer:
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, BATCHES))
        await buffer.flush()
        await buffer.tidy()
        await buffer.rewind(Lane.NUMERIC, 0)
        batches = await whole_lane(buffer, Lane.NUMERIC)
        assert through(batches[-1]) == BATCHES
        assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)


async def test_store_file_with_one_changed_bit_is_rejected_or_read_without_wrong_values(tmp_path: Path) -> None:
    path = await filled(tmp_path)
    whole = path.read_bytes()
    async with opened(path) as buffer:
        truth = [record.value async for record in buffer.records(limit=99)]
    rng = random.Random(2)
    outcomes = {"refused": 0, "read": 0}
    for _ in range(40):
        octets = bytearray(whole)
        octets[rng.randrange(len(octets))] ^= 1 << rng.randrange(8)
        await _try(path, bytes(octets), truth, outcomes)
    assert min(outcomes.values()) > 0


async def _try(path: Path, octets: bytes, truth: list[object], outcomes: dict[str, int]) -> None:
    path.write_bytes(octets)
    try:
        async with opened(path) as buffer:
            batches = await whole_lane(buffer, Lane.NUMERIC)
            assert through(batches[-1]) == BATCHES
            assert isinstance(verdict(batches, buffer.epoch, Lane.NUMERIC), Intact)
            read = [record.value async for record in buffer.records(lane=Lane.NUMERIC, limit=99)]
            assert set(read) <= set(truth), "a value is never another value"
            await buffer.append_sections([section(numerics(1))])
            outcomes["read"] += 1
    except BufferUnusable:
        outcomes["refused"] += 1
