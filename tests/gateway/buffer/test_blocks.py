"""The gateway divides observations into blocks so that no batch exceeds the cloud's size limits."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from gateway.buffer.blocks import blocks_of
from gateway.buffer.settings import BufferSettings
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Observation
from protocols.uplink.limits import (
    BLOCK_DEVICES_MAX,
    BLOCK_OBSERVATIONS_MAX,
    BLOCK_SAMPLES_BYTES_MAX,
    PAYLOAD_BYTES_MAX,
)
from protocols.uplink.observations import DeviceObservations, DeviceRef, decode_block
from tests.builders.buffer_observations import numerics, section, waveform

pytestmark = pytest.mark.finding("security-2")

SETTINGS = BufferSettings()


def texts(count: int, length: int) -> list[Observation]:
    channel = Channel(handle=40, type=Code(2, 7000))
    return [Observation(channel, "x" * length, None, 0, None, 1000.0) for _ in range(count)]


@pytest.mark.parametrize(
    "build",
    [
        lambda: [
            section(numerics(1), device=DeviceRef(f"{number:016x}", "Invented device")) for number in range(1_000)
        ],
        lambda: [section(texts(4_096, 4_000))],
        lambda: [section(texts(10, 300)) for _ in range(1_000)],
        lambda: [section(numerics(40_000))],
        lambda: [section(waveform(64, samples=16_000))],
    ],
    ids=["a thousand devices", "long texts", "texts in many sections", "many numerics", "large waveforms"],
)
def test_every_batch_of_a_large_commit_is_within_the_limits_of_the_cloud(build: Callable[[], list[DeviceObservations]]):
    sections = build()
    blocks = blocks_of(sections, SETTINGS)
    read = [decode_block(block.payload, announced_count=block.count) for block in blocks]  # raises above any limit
    sent = [one for each in sections for one in each.observations]
    assert [one for block in read for each in block for one in each.observations] == sent
    assert all(len(block.payload) <= PAYLOAD_BYTES_MAX for block in blocks)
    assert max(len({each.device for each in block}) for block in read) <= BLOCK_DEVICES_MAX


def test_default_block_limits_are_at_most_half_of_the_decoder_limits():
    """Another version of cloud or gateway may have a lower limit, so blocks stay well below the accepted size."""
    assert SETTINGS.block_observations_max * 2 <= BLOCK_OBSERVATIONS_MAX
    assert SETTINGS.block_samples_bytes_max * 2 <= BLOCK_SAMPLES_BYTES_MAX


def test_blocks_stay_within_the_decoder_limits_when_store_settings_allow_larger_blocks():
    wide = replace(SETTINGS, block_observations_max=1 << 20, block_samples_bytes_max=1 << 30)
    blocks = blocks_of([section(numerics(20_000)), section(waveform(64, samples=16_000))], wide)
    assert sum(block.count for block in blocks) == 20_064
    for block in blocks:
        decode_block(block.payload, announced_count=block.count)
