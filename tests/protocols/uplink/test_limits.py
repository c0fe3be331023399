"""A block above the size limit is refused before memory is allocated for it, and is never encoded."""

import tracemalloc
from collections.abc import Callable

import pytest

from protocols.errors import LocalProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, Special
from protocols.uplink.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_CHANNELS_MAX,
    BLOCK_CODES_MAX,
    BLOCK_DEVICES_MAX,
    BLOCK_OBSERVATIONS_MAX,
    BLOCK_SAMPLES_BYTES_MAX,
    BLOCK_SCALARS_MAX,
    BlockTooLarge,
    LimitExceeded,
)
from protocols.uplink.observations import DeviceObservations, DeviceRef, body_bytes, decode_block, encode_block
from tests.builders.uplink_blocks import BLOOD_PRESSURE, SPO2, numeric_section, observation, section, waveform
from tests.builders.uplink_bombs import block_of_channels, block_of_devices, block_of_zeros, sealed

pytestmark = pytest.mark.finding("security-2")

MANY_DEVICES = 62_000


def of_devices(count: int) -> list[DeviceObservations]:
    return [section(observation(1.0), device=DeviceRef(f"{number:016x}", "Invented device")) for number in range(count)]


def of_channels(count: int, *, components: int = 0) -> list[DeviceObservations]:
    channels = [
        Channel(handle=handle, type=SPO2.type, supplemental_types=(Code(0, 1),) * components) for handle in range(count)
    ]
    return [section(*[observation(1.0, channel=channel) for channel in channels])]


@pytest.mark.parametrize(
    "build",
    [
        lambda: [section(*[observation(1.0)] * BLOCK_OBSERVATIONS_MAX)],
        lambda: of_devices(BLOCK_DEVICES_MAX),
        lambda: of_channels(BLOCK_CHANNELS_MAX),
        lambda: of_channels(BLOCK_CODES_MAX // 255, components=255),
        lambda: [section(*[waveform(bytes(BLOCK_SAMPLES_BYTES_MAX // 8))] * 8)],
        lambda: [section(*[observation((Special.NAN,) * 128, channel=BLOOD_PRESSURE)] * (BLOCK_SCALARS_MAX // 128))],
    ],
    ids=["observations", "devices", "channels", "codes", "samples", "components"],
)
def test_block_at_its_limit_is_encoded_and_decoded(build: Callable[[], list[DeviceObservations]]):
    sections = build()
    block = encode_block(sections)
    back = decode_block(block)
    assert sum(len(one.observations) for one in back) == sum(len(one.observations) for one in sections)
    assert body_bytes(block) <= BLOCK_BYTES_MAX


@pytest.mark.parametrize(
    "build",
    [
        lambda: [section(*[observation(1.0)] * (BLOCK_OBSERVATIONS_MAX + 1))],
        lambda: of_devices(BLOCK_DEVICES_MAX + 1),
        lambda: of_channels(BLOCK_CHANNELS_MAX + 1),
        lambda: of_channels(BLOCK_CODES_MAX // 255 + 1, components=255),
        lambda: [section(*[waveform(bytes(BLOCK_SAMPLES_BYTES_MAX // 8))] * 8, waveform(b"\x00\x00"))],
        lambda: [
            section(*[observation((Special.NAN,) * 128, channel=BLOOD_PRESSURE)] * (BLOCK_SCALARS_MAX // 128 + 1))
        ],
        lambda: [section(*[observation("x" * 65_535)] * 40)],
    ],
    ids=["observations", "devices", "channels", "codes", "samples", "components", "bytes"],
)
def test_block_above_its_limit_is_refused_by_the_encoder(build: Callable[[], list[DeviceObservations]]):
    sections = build()
    with pytest.raises(BlockTooLarge) as caught:
        encode_block(sections)
    assert isinstance(caught.value, LocalProtocolError)


@pytest.mark.parametrize(
    ("build", "what"),
    [
        (lambda: block_of_devices(BLOCK_DEVICES_MAX + 1), "devices"),
        (lambda: block_of_devices(6_000), "devices"),
        (lambda: block_of_devices(MANY_DEVICES), "bytes"),
        (lambda: block_of_zeros(BLOCK_OBSERVATIONS_MAX + 1), "observations"),
        (lambda: block_of_channels(BLOCK_CHANNELS_MAX + 1), "channels"),
        (lambda: block_of_channels(BLOCK_CODES_MAX // 255 + 1, components=255), "codes"),
        (lambda: sealed(bytes(BLOCK_BYTES_MAX + 1)), "bytes"),
    ],
    ids=["devices", "6 000 devices", "62 000 devices", "observations", "channels", "codes", "bytes"],
)
def test_block_above_its_limit_is_refused_by_the_decoder(build: Callable[[], bytes], what: str):
    block = build()
    with pytest.raises(LimitExceeded, match=what):
        decode_block(block)


def test_decoding_stops_at_the_first_device_above_the_limit():
    writer_end = block_of_devices(BLOCK_DEVICES_MAX + 1)
    with pytest.raises(LimitExceeded) as caught:
        decode_block(writer_end)
    long = block_of_devices(6_000)
    with pytest.raises(LimitExceeded) as caught_long:
        decode_block(long)
    # The offset is in the table of devices; it differs by a few bytes with the length of the count before it.
    assert caught.value.at is not None
    assert caught_long.value.at is not None
    assert abs(caught_long.value.at - caught.value.at) <= 2


@pytest.mark.parametrize("announced_bytes", [None, 100])
def test_refusal_of_a_decompression_bomb_uses_less_memory_than_two_blocks(announced_bytes: int | None):
    bomb = sealed(bytes(64 << 20), announced_bytes=announced_bytes)
    assert len(bomb) < 1 << 20
    tracemalloc.start()
    try:
        with pytest.raises(Exception, match=r"bytes|announced"):
            decode_block(bomb)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * BLOCK_BYTES_MAX


@pytest.mark.parametrize("announced", [99, 101])
def test_block_with_another_number_of_observations_than_announced_is_refused(announced: int):
    with pytest.raises(Exception, match="another number"):
        decode_block(encode_block([numeric_section(100)]), announced_count=announced)


def test_block_with_an_announced_observation_count_above_the_limit_is_not_decompressed():
    with pytest.raises(LimitExceeded, match="observations"):
        decode_block(b"\x01not even a block", announced_count=BLOCK_OBSERVATIONS_MAX + 1)
