"""The decoder of observation blocks raises `RemoteProtocolError` and nothing else, on any body.

A block that is decoded can be encoded again without a change of its meaning. `make fuzz` decodes 75 000 mutated bodies.
"""

import pytest

from protocols.errors import RemoteProtocolError
from protocols.observation import SampleFormat
from protocols.uplink.limits import BLOCK_SAMPLES_BYTES_MAX
from protocols.uplink.observations import decode_block, encode_block
from tests.builders.fuzz_counts import SEED, count, seeded
from tests.builders.ingest_kinds import every_kind, waveforms
from tests.builders.ingest_nonsense import mutated
from tests.builders.uplink_blocks import flattened
from tests.builders.uplink_bombs import body_of, sealed

COUNT = count(1_500)
BLOCKS = {"mixed": encode_block(every_kind()), "waveforms": encode_block(waveforms())}


@pytest.mark.parametrize("kind", BLOCKS)
def test_mutated_bodies_of_blocks_are_decoded_or_refused(kind: str) -> None:
    print(f"\nfuzz: {COUNT} blocks, seed {SEED}")
    block = BLOCKS[kind]
    body = body_of(block)
    decoded = 0
    for number in range(COUNT):
        octets = sealed(mutated(body, seeded("block", kind, number)), version=block[0])
        try:
            sections = decode_block(octets)
        except RemoteProtocolError:
            continue
        decoded += 1
        observations = [one for each in sections for one in each.observations]
        assert sum(len(one.samples or b"") for one in observations) <= BLOCK_SAMPLES_BYTES_MAX
        assert flattened(decode_block(encode_block(sections))) == flattened(sections)
    assert 0 < decoded < COUNT


def test_fuzzed_waveforms_have_every_sample_format() -> None:
    arrays = [one.channel.array for each in waveforms() for one in each.observations]
    assert {array.format for array in arrays if array is not None} == set(SampleFormat)
