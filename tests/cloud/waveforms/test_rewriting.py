"""A packed object is rewritten without erased batches: the others are copied, and the hashes of all stay."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from cloud.clinical.waveforms import ChannelKey, SampleBlocks, decode_object, erased_hash, pack, rewrite_object
from cloud.clinical.waveforms.entries import entries_of, read_entries
from cloud.clinical.waveforms.packed_object import erased_envelope, index_range
from cloud.clinical.waveforms.packing import BatchToPack, Packing
from cloud.foundation.objects import ObjectDamaged
from protocols.uplink.envelope import Batch, BatchKind, Envelope, decode_envelope, encode_envelope, verify_hash
from protocols.uplink.lanes import Lane
from tests.builders.ingest_gateway import NOW_US, OXIMETER, PLETH, GatewayInVehicle

GOLDEN = Path(__file__).parents[2] / "corpus" / "waveform_objects" / "v2.awf"
SECRET = b"payload of the erased batch"


def blocks_of(batch: Batch) -> SampleBlocks:
    key = ChannelKey(batch.gateway, OXIMETER, PLETH)
    return SampleBlocks([key], [0], [NOW_US + batch.sequence * 1_000_000], [batch.sequence.to_bytes(2, "big")])


def object_of(envelopes: Sequence[Envelope]) -> Packing:
    (packing,) = pack(
        "tnt_1",
        NOW_US,
        [
            BatchToPack(
                gateway=one.batch.gateway,
                epoch=one.batch.epoch,
                sequence=one.batch.sequence,
                envelope=encode_envelope(one),
                blocks=blocks_of(one.batch),
            )
            for one in envelopes
        ],
    )
    return packing


def sent(gateway: GatewayInVehicle, *payloads: bytes) -> list[Envelope]:
    return [gateway.send_raw(BatchKind.OBSERVATIONS, payload, lane=Lane.WAVEFORM) for payload in payloads]


def test_rewritten_object_has_the_hashes_of_erased_batches_and_the_rest_as_it_was() -> None:
    gateway, other = GatewayInVehicle(), GatewayInVehicle(gateway="gw_2", key_seed=2)
    envelopes = [*sent(gateway, b"one", SECRET, b"three"), *sent(other, b"four")]
    before = object_of(envelopes)
    made = rewrite_object(before.data, lambda batch: batch.payload == SECRET, blocks_of)
    assert made.erased == 1
    assert SECRET not in made.data
    found = decode_object(made.data)
    assert (found.tenant_id, found.packed_at_us) == ("tnt_1", NOW_US)
    kept = [encode_envelope(one) for one in envelopes if one.batch.payload != SECRET]
    assert sorted(found.envelopes) == sorted(kept)
    (erased,) = [decode_envelope(one) for one in found.erased]
    assert erased_hash(erased.batch) == envelopes[1].batch.hash
    assert verify_hash(erased_hash(erased.batch), erased.signature, gateway.public_key)
    assert [(run.gateway, run.sequence, run.batches) for run in found.index.runs] == [
        ("gw_2", 1, 1),
        ("gw_test", 1, 1),
        ("gw_test", 3, 1),
    ]
    for run in found.index.runs:
        (read,) = read_entries(made.data[run.position : run.position + run.size_bytes])
        assert decode_envelope(read).batch.sequence == run.sequence
    by_gateway = {one.gateway: list(one.seconds.greatest) for one in found.index.summaries}
    assert by_gateway == {"gw_2": [1], "gw_test": [1, 3]}
    places = {position: number for number, (position, _) in enumerate(before.places)}
    assert sorted(places[position] for position in made.moved) == [0, 1, 3]
    end, _ = index_range(made.data[-44:], len(made.data))
    at = {entry.position for entry in entries_of(made.data[:end], first=min(made.moved.values()))}
    assert at >= set(made.moved.values())


def test_object_is_rewritten_again_when_more_is_erased() -> None:
    envelopes = sent(GatewayInVehicle(), b"one", b"two", b"three")
    once = rewrite_object(object_of(envelopes).data, lambda batch: batch.sequence == 1, blocks_of)
    twice = rewrite_object(once.data, lambda batch: batch.sequence == 3, blocks_of)
    found = decode_object(twice.data)
    assert [decode_envelope(one).batch.sequence for one in found.erased] == [1, 3]
    assert [(run.sequence, run.batches) for run in found.index.runs] == [(2, 1)]
    assert rewrite_object(twice.data, lambda batch: False, blocks_of).data == twice.data


def test_damaged_object_is_not_rewritten() -> None:
    data = object_of(sent(GatewayInVehicle(), b"one", b"two")).data
    for wrong in (data[:-1], data.replace(b"one", b"eno")):
        with pytest.raises(ObjectDamaged):
            rewrite_object(wrong, lambda batch: True, blocks_of)


def test_object_with_erased_envelopes_of_the_first_release_with_them_is_read() -> None:
    found = decode_object(GOLDEN.read_bytes())
    assert [decode_envelope(one).batch.payload for one in found.envelopes] == [b"one", b"three"]
    (erased,) = [decode_envelope(one) for one in found.erased]
    assert erased_hash(erased.batch) == sent(GatewayInVehicle(), b"one", SECRET)[1].batch.hash
    assert found.erased == [erased_envelope(sent(GatewayInVehicle(), b"one", SECRET)[1])]
