"""Objects of version 3: groups of envelopes of numerics, their limits, and damage in them."""

import struct
import zlib

import pytest
import zstandard

from cloud.clinical.waveforms.entries import (
    GROUP_BYTES_MAX,
    GROUPS_BYTES_MAX,
    encode_entry,
    encode_group,
    entries_of,
    read_entries,
)
from cloud.clinical.waveforms.groups import RunToPack, pack_groups
from cloud.clinical.waveforms.packed_object import (
    TRAILER_BYTES,
    PackedRun,
    decode_index,
    decode_object,
    encode_header,
    encode_object,
    index_range,
)
from cloud.clinical.waveforms.rewriting import rewrite_object
from cloud.clinical.waveforms.summarising import summarise
from cloud.foundation.objects import ObjectDamaged
from protocols.uplink.envelope import encode_envelope
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

GROUP_BIT = 1 << 30
ENVELOPES = [encode_envelope(one) for one in GatewayInVehicle().many(20)]


def run(sequence: int, envelopes: list[bytes], gateway: str = "gw_test") -> RunToPack:
    return RunToPack(gateway=gateway, epoch="epoch-a", sequence=sequence, envelopes=envelopes)


def group_of(frame: bytes) -> bytes:
    """Return a group with this frame, valid or not."""
    return struct.pack("<II", len(frame) | GROUP_BIT, zlib.crc32(frame)) + frame


def compress(body: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(body)


def test_each_run_is_a_group_that_is_read_by_its_range() -> None:
    packed = pack_groups("ten_test", NOW_US, [run(1, ENVELOPES[:15]), run(3, ENVELOPES[15:], gateway="gw_2")])
    found = decode_object(packed.data)
    assert (found.tenant_id, found.packed_at_us, found.envelopes) == ("ten_test", NOW_US, ENVELOPES)
    (first, size), (second, rest) = packed.places
    assert found.index.runs == [
        PackedRun(gateway="gw_test", epoch="epoch-a", sequence=1, batches=15, position=first, size_bytes=size),
        PackedRun(gateway="gw_2", epoch="epoch-a", sequence=3, batches=5, position=second, size_bytes=rest),
    ]
    assert list(read_entries(packed.data[second : second + rest], limit=5)) == ENVELOPES[15:]
    assert size < 0.6 * sum(map(len, ENVELOPES[:15])), "an envelope repeats much of its neighbours"
    with pytest.raises(ObjectDamaged, match="one too many"):
        list(read_entries(packed.data[second : second + rest], limit=4))


def test_object_with_any_changed_byte_or_cut_is_reported_as_damaged() -> None:
    data = pack_groups("ten_test", NOW_US, [run(1, ENVELOPES[:2])]).data
    for at in range(len(data)):
        for wrong in (data[:at], data[:at] + bytes([data[at] ^ 0x41]) + data[at + 1 :]):
            with pytest.raises(ObjectDamaged):
                decode_object(wrong)


def test_changed_byte_of_a_range_is_reported() -> None:
    group = encode_group([encode_entry(one) for one in ENVELOPES])
    for at in range(len(group)):
        with pytest.raises(ObjectDamaged):
            list(read_entries(group[:at] + bytes([group[at] ^ 1]) + group[at + 1 :]))


@pytest.mark.parametrize(
    ("group", "why"),
    [
        (group_of(b"no frame"), "cannot be decompressed"),
        (group_of(compress(b"")), "has no envelope"),
        (group_of(compress(encode_group([encode_entry(b"one")]))), "or a group"),
        (group_of(compress(encode_entry(b"one")[:-1])), "has 2 of 3 bytes"),
        (group_of(compress(encode_entry(b"one")) + b"more"), "cannot be decompressed"),
        (group_of(compress(bytes(GROUP_BYTES_MAX + 1))), "longer than its limit"),
        (group_of(zstandard.ZstdCompressor(write_content_size=False).compress(b"one")), "longer than its limit"),
        (struct.pack("<II", (GROUP_BYTES_MAX + 1) | GROUP_BIT, 0), "longer than an envelope"),
        (struct.pack("<II", 1 | GROUP_BIT | 1 << 31, 0) + b"x", "longer than an envelope"),
    ],
)
def test_group_that_is_none_is_reported_as_damaged(group: bytes, why: str) -> None:
    with pytest.raises(ObjectDamaged, match=why):
        list(entries_of(group))


def test_groups_beyond_the_limit_of_a_range_are_refused_before_more_are_decompressed() -> None:
    # Two million bytes that compress to almost nothing.
    large = encode_group([encode_entry(bytes(1 << 20)), encode_entry(bytes(1 << 20))])
    count = GROUPS_BYTES_MAX // (2 << 20)
    with pytest.raises(ObjectDamaged, match="have more than"):
        list(entries_of(large * (count + 1)))


def test_group_in_an_earlier_version_is_reported_as_damaged() -> None:
    runs = decode_object(pack_groups("ten_test", NOW_US, [run(1, ENVELOPES)]).data).index.runs
    header = encode_header("ten_test", NOW_US)
    group = encode_group([encode_entry(one) for one in ENVELOPES])
    with pytest.raises(ObjectDamaged, match="a group in version 1"):
        decode_object(encode_object(header, [group], runs, summarise([]), envelopes=len(ENVELOPES)))


def test_object_of_numerics_is_not_rewritten() -> None:
    data = pack_groups("ten_test", NOW_US, [run(1, ENVELOPES)]).data
    with pytest.raises(ObjectDamaged, match="not rewritten"):
        rewrite_object(data, lambda batch: True, lambda batch: None)


def test_index_is_read_without_the_groups() -> None:
    data = pack_groups("ten_test", NOW_US, [run(1, ENVELOPES)]).data
    first, size_bytes = index_range(data[-TRAILER_BYTES:], len(data))
    found = decode_index(data[first : first + size_bytes])
    assert ([one.batches for one in found.runs], found.summaries, found.summarised) == ([20], [], True)
