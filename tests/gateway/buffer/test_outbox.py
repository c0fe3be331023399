"""The operations of the store that the uplink uses: reading batches in order, acknowledging them, and rewinding.

A rewind makes acknowledged batches pending again, for a cloud that was restored from a backup.
"""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from gateway.buffer.lanes import LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import decode_event
from protocols.uplink.lanes import Lane
from tests.builders.buffer_observations import connected, numerics, section, waveform
from tests.builders.buffer_store import QUICK, acked, new_store, opened, whole_lane


async def test_next_batches_after_a_sequence_are_returned_in_order_and_within_the_limits(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        for n in range(10):
            await buffer.append_sections([section(waveform(1, samples=500 + n))])
        found = await buffer.next_batches(Lane.WAVEFORM, after=3, limit_batches=4, limit_bytes=1 << 20)
        assert [batch.sequence for batch in found] == [4, 5, 6, 7]
        size = len(found[0].payload)
        small = await buffer.next_batches(Lane.WAVEFORM, after=3, limit_batches=100, limit_bytes=size * 2 + 50)
        assert [batch.sequence for batch in small] == [4, 5]
        one = await buffer.next_batches(Lane.WAVEFORM, after=3, limit_batches=100, limit_bytes=1)
        assert [batch.sequence for batch in one] == [4]
        assert await buffer.next_batches(Lane.WAVEFORM, after=10, limit_batches=5, limit_bytes=99) == []
        assert await buffer.next_batches(Lane.NUMERIC, after=0, limit_batches=5, limit_bytes=99) == []


async def test_newest_batch_is_read_from_the_store_after_any_transaction_that_may_have_changed_it(
    tmp_path: Path,
) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(3))])
        (from_memory,) = await whole_lane(buffer, Lane.NUMERIC)
        await buffer.state_put("any", "transaction")
        (from_file,) = await whole_lane(buffer, Lane.NUMERIC)
        assert from_memory is not from_file
        assert from_memory == from_file
        assert from_memory.hash == from_file.hash
        await buffer.append_sections([section(numerics(4))])
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("UPDATE batches SET nonce = zeroblob(24) WHERE position = ?", (2 << 56 | 2,))
        await buffer.state_put("any", "other transaction")
        assert [batch.kind for batch in await whole_lane(buffer, Lane.NUMERIC)] == [
            BatchKind.OBSERVATIONS,
            BatchKind.GAP,
        ]


async def test_event_payload_in_the_outbox_decodes_to_the_appended_event(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_event(connected())
        (batch,) = await whole_lane(buffer, Lane.EVENT)
    assert decode_event(batch.payload) == connected()
    assert batch.count == 1


async def test_acknowledged_batches_stay_acknowledged_after_a_restart(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        for n in range(6):
            await buffer.append_sections([section(numerics(2 + n))])
        marks = buffer.marks()[Lane.NUMERIC]
        assert (marks.first, marks.last, marks.acked) == (1, 6, 0)
        assert (marks.backlog_batches, marks.backlog_observations) == (6, 27)
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 4))
        await buffer.flush()
        expected = LaneMarks(
            first=1,
            last=6,
            acked=4,
            backlog_batches=2,
            backlog_observations=13,
            bytes=buffer.marks()[Lane.NUMERIC].bytes,
        )
        assert buffer.marks()[Lane.NUMERIC] == expected
    async with opened(path) as buffer:
        assert buffer.marks()[Lane.NUMERIC] == expected


async def test_acknowledged_sequence_is_written_to_the_store_when_the_buffer_closes(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 1))
    async with opened(path) as buffer:
        assert buffer.marks()[Lane.NUMERIC].acked == 1


async def test_acknowledged_sequence_is_unchanged_by_an_older_or_conflicting_ack_or_an_ack_of_another_epoch(
    tmp_path: Path,
) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        for _ in range(3):
            await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 2))
        for ack in (
            Ack(epoch="another", lane=Lane.NUMERIC, through_sequence=3),
            Ack(epoch=buffer.epoch, lane=Lane.NUMERIC, through_sequence=3, conflict=True),
            acked(buffer, Lane.NUMERIC, 1),
        ):
            await buffer.acknowledge(ack)
        await buffer.flush()
        assert buffer.marks()[Lane.NUMERIC].acked == 2


async def test_ack_beyond_the_last_batch_acknowledges_only_existing_batches(tmp_path: Path) -> None:
    async with opened(new_store(tmp_path)) as buffer:
        await buffer.append_sections([section(numerics(1))])
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 99))
        await buffer.append_sections([section(numerics(1))])
        assert buffer.marks()[Lane.NUMERIC].acked == 1


async def test_rewinding_a_lane_makes_every_batch_after_the_given_sequence_pending_again(tmp_path: Path) -> None:
    path = new_store(tmp_path)
    async with opened(path) as buffer:
        for n in range(8):
            await buffer.append_sections([section(numerics(1, first=float(n)))])
        sent = await whole_lane(buffer, Lane.NUMERIC)
        await buffer.acknowledge(acked(buffer, Lane.NUMERIC, 8))
        await buffer.rewind(Lane.NUMERIC, 3)
        assert buffer.marks()[Lane.NUMERIC].backlog_observations == 5
        assert await whole_lane(buffer, Lane.NUMERIC, after=3) == sent[3:]
    async with opened(path) as buffer:
        assert buffer.marks()[Lane.NUMERIC].acked == 3


async def test_witness_file_lists_exactly_the_committed_sequences(tmp_path: Path) -> None:
    path, witness = new_store(tmp_path), tmp_path / "witness"
    async with opened(path, settings=replace(QUICK, block_observations_max=2), witness=witness) as buffer:
        await buffer.append_sections([section(numerics(5) + waveform(1))])
        await buffer.append_event(connected())
        epoch = buffer.epoch
    lines = witness.read_text().splitlines()
    assert sorted(lines) == sorted(
        [f"{epoch} event 1", *(f"{epoch} numeric {n}" for n in (1, 2, 3)), f"{epoch} waveform 1"]
    )
