"""The packed waveform object: read as it was written, and each kind of damage is reported."""

import hashlib
import struct
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cloud.clinical.waveforms.entries import ENTRIES_MAX, encode_entry, read_entries
from cloud.clinical.waveforms.packed_object import (
    ENTRIES_BYTES_MAX,
    INDEX_BYTES_MAX,
    PACKED_BYTES_MAX,
    TRAILER_BYTES,
    PackedRun,
    decode_index,
    decode_object,
    index_range,
)
from cloud.clinical.waveforms.packing import BatchToPack, Packing, pack
from cloud.clinical.waveforms.summarising import ChannelKey, SampleBlocks
from cloud.foundation.objects import ObjectDamaged
from tests.builders.ingest_gateway import NOW_US, OXIMETER, PLETH

GOLDEN = Path(__file__).parents[2] / "corpus" / "waveform_objects" / "v1.awf"
KEY = ChannelKey("gw_1", OXIMETER, PLETH)


def batch(sequence: int, envelope: bytes = b"envelope", *, gateway: str = "gw_1", observed: bool = True) -> BatchToPack:
    blocks = SampleBlocks([KEY], [0], [NOW_US + sequence * 1_000_000], [struct.pack(">3h", sequence, -5, 7)])
    return BatchToPack(
        gateway=gateway,
        epoch="epoch-a",
        sequence=sequence,
        envelope=envelope,
        blocks=blocks if observed else None,
    )


def packed(*batches: BatchToPack) -> Packing:
    (one,) = pack("tnt_1", NOW_US, batches)
    return one


def with_digest(data: bytes) -> bytes:
    """Return the object with the SHA-256 that its changed bytes have."""
    body = data[:-36]
    return body + hashlib.sha256(body).digest() + data[-4:]


def test_object_is_read_as_it_was_written() -> None:
    data = packed(batch(2, b"two"), batch(1, b"one"), batch(7, b"seven", gateway="gw_0", observed=False)).data
    found = decode_object(data)
    assert (found.tenant_id, found.packed_at_us) == ("tnt_1", NOW_US)
    assert found.envelopes == [b"seven", b"one", b"two"]
    header, entry = 4 + 1 + 6 + 8, 8
    assert found.index.runs == [
        PackedRun(gateway="gw_0", epoch="epoch-a", sequence=7, batches=1, position=header, size_bytes=entry + 5),
        PackedRun(gateway="gw_1", epoch="epoch-a", sequence=1, batches=2, position=header + entry + 5, size_bytes=22),
    ]
    (summary,) = found.index.summaries
    assert (summary.system_id, summary.type, summary.array) == (OXIMETER.system_id, PLETH.type, PLETH.array)
    second = NOW_US // 1_000_000
    assert (summary.seconds.numbers, summary.seconds.least, summary.seconds.greatest) == (
        [second + 1, second + 2],
        [-5, -5],
        [7, 7],
    )
    assert not found.index.summarised  # one payload was not decoded


def test_run_is_read_by_its_range_and_the_index_from_the_end() -> None:
    data = packed(*(batch(number, b"x" * number) for number in range(1, 6))).data
    first, size_bytes = index_range(data[-TRAILER_BYTES:], len(data))
    (run,) = decode_index(data[first : first + size_bytes]).runs
    found = data[run.position : run.position + run.size_bytes]
    assert list(read_entries(found)) == [b"x" * number for number in range(1, 6)]


def test_object_cut_at_any_length_is_reported_as_damaged() -> None:
    data = packed(batch(1), batch(2)).data
    for length in range(len(data)):
        with pytest.raises(ObjectDamaged):
            decode_object(data[:length])


def test_object_with_any_changed_byte_is_reported_as_damaged() -> None:
    data = packed(batch(1)).data
    for at in range(len(data)):
        changed = bytearray(data)
        changed[at] ^= 0x41
        with pytest.raises(ObjectDamaged):
            decode_object(bytes(changed))


def test_object_with_a_right_digest_and_wrong_content_is_reported_as_damaged() -> None:
    data = packed(batch(1, b"one"), batch(2, b"two")).data
    for change, why in (
        (lambda body: b"XRGW" + body[4:], "first bytes"),
        (lambda body: body[:4] + b"\x04" + body[5:], "version 4"),
        (lambda body: body.replace(b"one", b"eno"), "CRC-32"),
        (lambda body: body[:-44] + struct.pack("<I", 1 << 31) + body[-40:], "behind its end"),
        (lambda body: body[:-40] + struct.pack("<I", 3) + body[-36:], "2 entries instead of 3"),
    ):
        with pytest.raises(ObjectDamaged, match=why):
            decode_object(with_digest(change(data)))


def test_range_that_is_cut_or_changed_is_reported_with_the_number_of_its_entry() -> None:
    data = encode_entry(b"one") + encode_entry(b"two")
    for wrong, why in (
        (data[:-1], "Entry 1 of the range has 2 of 3 bytes"),
        (data[:-4], "Entry 1 of the range is cut off after 7 bytes"),
        (data[:-1] + b"x", "Entry 1 of the range has another CRC-32"),
        (struct.pack("<II", 1 << 29, 0) + data, "Entry 0 of the range is longer than an envelope"),
        (encode_entry(b"one", is_erased=True) + data, "The entry at byte 0 of the range is erased"),
    ):
        with pytest.raises(ObjectDamaged, match=why):
            list(read_entries(wrong))
    with pytest.raises(ObjectDamaged, match="one too many"):
        list(read_entries(data, limit=1))


def test_index_that_grows_beyond_its_limit_is_refused_before_memory_is_used() -> None:
    with pytest.raises(ObjectDamaged, match="longer than its limit"):
        decode_index(zlib.compress(b"\0" * (INDEX_BYTES_MAX + 1)))


@given(st.binary(max_size=400))
@settings(max_examples=200)
def test_any_bytes_are_an_object_or_reported_as_damaged(data: bytes) -> None:
    for read in (decode_object, decode_index, lambda some: list(read_entries(some))):
        try:
            read(data)
        except ObjectDamaged:
            continue


def test_full_objects_stay_below_their_limit_and_keep_their_order() -> None:
    envelope = bytes(1 << 20)
    objects = list(pack("tnt_1", NOW_US, [batch(number, envelope, observed=False) for number in range(1, 15)]))
    assert [len(one.batches) for one in objects] == [6, 6, 2]
    assert all(ENTRIES_BYTES_MAX / 4 < len(one.data) <= PACKED_BYTES_MAX for one in objects)
    assert [each.sequence for one in objects for each in one.batches] == list(range(1, 15))


def test_object_has_at_most_so_many_envelopes_that_its_index_keeps_its_limit() -> None:
    scattered = [batch(2 * number, b"", gateway=f"gw_{'x' * 60}", observed=False) for number in range(ENTRIES_MAX + 1)]
    first, second = pack("tnt_1", NOW_US, scattered)
    assert (len(first.batches), len(second.batches)) == (ENTRIES_MAX, 1)
    assert len(decode_object(first.data).index.runs) == ENTRIES_MAX


def test_object_of_the_first_release_is_read() -> None:
    found = decode_object(GOLDEN.read_bytes())
    assert found.envelopes == [b"one", b"two"]
    assert [(run.sequence, run.batches) for run in found.index.runs] == [(1, 2)]
    assert found.index.summaries[0].minutes.greatest == [7]
