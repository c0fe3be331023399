"""The batches that were committed last are read from memory, as far as they are there."""

from gateway.buffer.recent_batches import (
    RECENT_BYTES_MAX,
    RECENT_MAX,
    RecentBatches,
    append,
    batches_after,
    observations_at,
)
from protocols.uplink.envelope import Batch
from tests.builders.uplink_batches import batch


def committed(*batches: Batch) -> RecentBatches:
    recent: RecentBatches = ()
    for each in batches:
        recent = append(recent, each, 10 * each.sequence)
    return recent


def sequences(recent: RecentBatches, after: int, last: int, *, batches: int = 100, octets: int = 1 << 20) -> list[int]:
    found = batches_after(recent, after, last, limit_batches=batches, limit_bytes=octets)
    return [each.sequence for each in found]


def test_recent_batches_are_limited_by_their_number_and_bytes() -> None:
    small = committed(*(batch(sequence=number, payload=b"1") for number in range(1, RECENT_MAX + 4)))
    assert [each.batch.sequence for each in small] == list(range(4, RECENT_MAX + 4))
    half = bytes(RECENT_BYTES_MAX // 2)
    large = committed(*(batch(sequence=number, payload=half) for number in range(1, 5)))
    assert [each.batch.sequence for each in large] == [3, 4]
    (huge,) = append(large, batch(sequence=5, payload=bytes(RECENT_BYTES_MAX + 1)), 50)
    assert huge.batch.sequence == 5


def test_batch_that_grew_replaces_its_earlier_version() -> None:
    recent = append(committed(batch(sequence=1), batch(sequence=2)), batch(sequence=2, payload=b"grown"), 25)
    assert [(each.batch.sequence, each.observations_total) for each in recent] == [(1, 10), (2, 25)]
    assert recent[-1].batch.payload == b"grown"


def test_recent_batches_are_returned_up_to_the_last_complete_one_and_without_a_hole() -> None:
    recent = committed(*(batch(sequence=number, payload=bytes(100)) for number in range(4, 9)))
    assert sequences(recent, 5, 7) == [6, 7]
    assert sequences(recent, 3, 8, batches=2) == [4, 5]
    assert sequences(recent, 3, 8, octets=299) == [4, 5]
    assert sequences(recent, 3, 8, octets=1) == [4]
    assert sequences(recent, 2, 8) == [], "the first one is only in the file"
    assert sequences(recent, 8, 8) == []


def test_observations_up_to_a_recent_batch_are_known() -> None:
    recent = committed(batch(sequence=1), batch(sequence=2))
    assert (observations_at(recent, 2), observations_at(recent, 3)) == (20, None)
