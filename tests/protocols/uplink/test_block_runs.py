"""The head of an observation block names its devices without the block being decoded."""

import random
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given, settings

from protocols.errors import RemoteProtocolError
from protocols.uplink.block_runs import HEAD_BYTES, BlockHead, read_head
from protocols.uplink.limits import BLOCK_OBSERVATIONS_MAX, LimitExceeded
from protocols.uplink.observations import (
    DeviceObservations,
    DeviceRef,
    decode_columns,
    encode_block,
    encode_observations,
    encode_runs,
)
from tests.builders.uplink_blocks import OXIMETER, any_sections, observation, section, waveform
from tests.builders.uplink_bombs import body_of, sealed

CUFF = DeviceRef("00000000000000aa", "Cuff")


@settings(max_examples=50)
@given(sections=any_sections)
def test_head_has_the_devices_and_the_memory_of_any_block(sections: list[DeviceObservations]) -> None:
    block = encode_block(sections)
    runs = decode_columns(block).runs
    assert read_head(block) == BlockHead(
        tuple(dict.fromkeys(facts.device for facts, _ in runs)), any(facts.stored for facts, _ in runs)
    )


@settings(max_examples=50)
@given(sections=any_sections)
def test_blocks_of_different_devices_share_the_encoding_of_equal_observations(
    sections: list[DeviceObservations],
) -> None:
    shared = encode_observations([each for one in sections for each in one.observations])
    runs = [(one, len(one.observations)) for one in sections if one.observations]
    assert encode_runs(runs, shared) == encode_block(sections)
    others = [replace(one, device=CUFF) for one in sections]
    assert encode_runs([(replace(facts, device=CUFF), count) for facts, count in runs], shared) == encode_block(others)


def test_head_of_a_block_of_waveforms_names_its_device_once() -> None:
    block = encode_block([section(waveform(b"\0\1")), section(waveform(b"\0\2"), boot_id="boot-2")])
    assert read_head(block) == BlockHead((OXIMETER,), stored=False)


def test_head_states_that_a_device_sent_values_from_its_memory() -> None:
    block = encode_block([section(observation()), section(observation(), device=CUFF, stored=True)])
    assert read_head(block) == BlockHead((OXIMETER, CUFF), stored=True)


def test_head_of_another_number_of_observations_than_announced_is_refused() -> None:
    block = encode_block([section(observation(), observation())])
    assert read_head(block, announced_count=2).devices == (OXIMETER,)
    with pytest.raises(RemoteProtocolError, match="another number"):
        read_head(block, announced_count=1)
    with pytest.raises(LimitExceeded):
        read_head(block, announced_count=BLOCK_OBSERVATIONS_MAX + 1)


def test_head_of_a_block_of_waveforms_whose_frame_states_another_size_than_announced_is_refused() -> None:
    body = body_of(encode_block([section(waveform(bytes(4 * HEAD_BYTES)))]))
    assert read_head(sealed(body, version=2)).devices == (OXIMETER,)
    with pytest.raises(RemoteProtocolError):
        read_head(sealed(body, announced_bytes=len(body) + 1, version=2))


def test_block_that_can_be_decoded_has_a_head_whatever_its_bytes_are() -> None:
    chance = random.Random(20261129)
    body = body_of(encode_block([section(observation(), observation()), section(observation(), device=CUFF)]))
    for _ in range(300):
        changed = bytearray(body)
        changed[chance.randrange(len(changed))] = chance.randrange(256)
        block = sealed(bytes(changed))
        try:
            head = read_head(block)
        except RemoteProtocolError:
            with pytest.raises(RemoteProtocolError):
                decode_columns(block)
        else:
            with suppress(RemoteProtocolError):
                assert head.devices == tuple(dict.fromkeys(facts.device for facts, _ in decode_columns(block).runs))
