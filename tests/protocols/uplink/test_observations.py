"""An observation block is decoded to exactly the values that were encoded."""

import struct
import zlib

import pytest
from hypothesis import given, settings

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.nomenclature.code import Code
from protocols.observation import Channel, SampleArray, SampleFormat, Special
from protocols.uplink.channel_table import (
    CHANNELS_WRITTEN_MAX,
    TABLE_BYTES_MAX,
    TABLES_CACHED,
    TABLES_WRITTEN_MAX,
    _tables,
    _written,
)
from protocols.uplink.limits import BLOCK_OBSERVATIONS_MAX
from protocols.uplink.observations import DeviceObservations, DeviceRef, check_block, decode_block, encode_block
from tests.builders.uplink_blocks import (
    BLOOD_PRESSURE,
    PLETH,
    SPO2,
    any_sections,
    flattened,
    numeric_section,
    observation,
    section,
    waveform,
)


@settings(max_examples=150)
@given(sections=any_sections)
def test_every_field_of_a_block_is_decoded_as_it_was_encoded(sections: list[DeviceObservations]):
    back = flattened(decode_block(encode_block(sections)))
    assert back == flattened(sections)
    assert [type(each.value) for _, each in back] == [type(each.value) for _, each in flattened(sections)]


@pytest.mark.parametrize("special", Special)
def test_every_encoded_special_value_is_decoded_to_the_same_special_value(special: Special):
    sections = [section(observation(special), observation((special, 1.0), channel=BLOOD_PRESSURE))]
    assert decode_block(encode_block(sections)) == sections


def test_encoded_negative_zero_keeps_its_sign():
    back = decode_block(encode_block([section(observation(-0.0))]))
    assert str(back[0].observations[0].value) == "-0.0"


def test_bit_values_are_decoded_as_integers_and_numeric_values_as_floats():
    back = decode_block(encode_block([section(observation(1), observation(1.0))]))
    assert [type(each.value) for each in back[0].observations] == [int, float]


def test_encoded_samples_are_decoded_to_the_same_bytes():
    octets = bytes(range(256)) * 8
    back = decode_block(encode_block([section(waveform(octets))]))
    assert back[0].observations[0].samples == octets


def channels_from(first: int, count: int) -> list[Channel]:
    return [Channel(handle=first + number, type=Code(2, 19_380), unit=Code(4, 544)) for number in range(count)]


def test_channel_table_that_a_block_repeats_is_decoded_to_the_same_channel_objects():
    blocks = [
        encode_block([section(*(observation(value, channel=one) for one in channels_from(1, 3)))])
        for value in (1.0, 2.0)
    ]
    first, second = [[each.channel for each in decode_block(block)[0].observations] for block in blocks]
    assert first == channels_from(1, 3)
    assert [id(one) for one in first] == [id(one) for one in second]


def test_channel_tables_that_begin_alike_are_decoded_to_their_own_channels():
    alike = channels_from(1, 12)
    tables = [[*alike, *channels_from(last, 1)] for last in (50, 60)]
    for table in tables * 3:
        (back,) = decode_block(encode_block([section(*(observation(1.0, channel=one) for one in table))]))
        assert [each.channel for each in back.observations] == table


def test_channel_tables_beyond_the_number_of_cached_tables_are_decoded():
    for first in range(TABLES_CACHED + 10):
        table = channels_from(first, 2)
        (back,) = decode_block(encode_block([section(*(observation(1.0, channel=one) for one in table))]))
        assert [each.channel for each in back.observations] == table
    assert len(_tables._known) == TABLES_CACHED


def test_channel_table_longer_than_those_cached_is_decoded():
    table = channels_from(1, TABLE_BYTES_MAX)
    for _ in range(2):
        (back,) = decode_block(encode_block([section(*(observation(1.0, channel=one) for one in table))]))
        assert [each.channel for each in back.observations] == table


def test_encoded_tables_are_kept_up_to_a_number_and_stay_those_of_their_channels():
    for first in range(TABLES_WRITTEN_MAX + 10):
        table = channels_from(first, 2)
        observations = [observation(1.0, channel=one) for one in table]
        block = encode_block([section(*observations)])
        assert encode_block([section(*observations)]) == block
        assert [each.channel for each in decode_block(block)[0].observations] == table
        assert len(_written) <= TABLES_WRITTEN_MAX
    assert all(len(one.channels) <= CHANNELS_WRITTEN_MAX for one in _written.values())


def test_decoded_observations_of_one_channel_share_one_channel_object():
    back = decode_block(encode_block([numeric_section(40)]))
    assert len({id(each.channel) for each in back[0].observations}) == 10


def test_equal_channels_of_a_block_are_encoded_once():
    twin = Channel(handle=SPO2.handle, type=SPO2.type, unit=SPO2.unit)
    back = decode_block(encode_block([section(observation(1.0), observation(2.0, channel=twin))]))
    first, second = back[0].observations
    assert first.channel is second.channel


def test_more_than_255_channels_are_distinguished():
    channels = [Channel(handle=handle, type=SPO2.type) for handle in range(1, 700)]
    sections = [section(*[observation(float(channel.handle), channel=channel) for channel in channels])]
    assert decode_block(encode_block(sections)) == sections


def test_observations_of_each_device_are_decoded_in_order():
    other = DeviceRef(system_id="aabbccddeeff0011", model="Cuff of nobody")
    sections = [section(observation(1.0)), section(observation(2.0), device=other), section(observation(3.0))]
    assert decode_block(encode_block(sections)) == sections


def test_adjacent_sections_of_one_device_are_decoded_as_one_section():
    back = decode_block(encode_block([section(observation(1.0)), section(), section(observation(2.0))]))
    assert back == [section(observation(1.0), observation(2.0))]


def test_empty_block_is_encoded_and_decoded():
    assert decode_block(encode_block([])) == []


def test_thousand_numeric_observations_take_less_than_3000_bytes():
    assert len(encode_block([numeric_section(1000)])) < 3000


def refuse(sections: list[DeviceObservations], match: str | None = None) -> None:
    """Assert that the encoder refuses `sections`, and that the check without encoding finds the same error."""
    for judge in (encode_block, check_block):
        with pytest.raises(LocalProtocolError, match=match):
            judge(sections)


@settings(max_examples=100)
@given(sections=any_sections)
def test_check_accepts_every_block_that_can_be_encoded(sections: list[DeviceObservations]):
    check_block(sections)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), (1.0, float("-inf")), True, 2**63, [1.0], (1,)])
def test_observation_that_cannot_be_encoded_is_a_local_protocol_error(value: object):
    refuse([section(observation(value))])


@pytest.mark.parametrize("received_s", [float("nan"), float("inf"), float("-inf"), 1e303, -1e303])
def test_invalid_reception_time_is_refused_by_encoder_and_decoder(received_s: float):
    refuse([section(observation(1.0, received_s=received_s))])
    body = zlib.decompress(encode_block([section(observation(1.0, received_s=10.0))])[5:])
    forged = body.replace(struct.pack("<d", 10.0), struct.pack("<d", received_s))
    assert forged != body
    with pytest.raises(RemoteProtocolError):
        decode_block(b"\x01" + len(forged).to_bytes(4, "little") + zlib.compress(forged))


@pytest.mark.parametrize("scale", [(float("nan"), 1.0, 0.0), (0.01, float("inf"), 0.0), (0.01, 1.0, float("-inf"))])
def test_sample_scale_that_is_not_finite_is_a_local_protocol_error(scale: tuple[float, float, float]):
    period_s, slope, offset = scale
    array = SampleArray(format=SampleFormat.I16, period_s=period_s, slope=slope, offset=offset)
    refuse([section(waveform(b"\x00\x01", channel=Channel(handle=20, type=PLETH.type, array=array)))], "scale")


def test_finite_values_whose_sum_is_infinite_are_encoded_and_decoded():
    sections = [section(observation(1.7e308), observation(1.7e308))]
    assert decode_block(encode_block(sections)) == sections


def test_samples_without_a_channel_array_are_a_local_protocol_error():
    refuse([section(waveform(b"\x00\x01", channel=SPO2))], "without an array")
    refuse([section(waveform(b"\x00\x01", channel=SPO2), observation(1.0))], "without an array")


def test_observation_without_value_and_samples_is_a_local_protocol_error():
    refuse([section(observation(None, channel=PLETH))], "neither")


def test_measurement_status_of_more_than_16_bits_is_a_local_protocol_error():
    refuse([section(observation(1.0, status=0x1_0000))], "16 bits")


def test_more_observations_than_a_block_allows_are_refused_by_the_encoder():
    many = section(*[observation(1.0)] * (BLOCK_OBSERVATIONS_MAX + 1))
    refuse([many], "8192 are allowed")


def test_block_above_the_byte_limit_of_the_decoder_is_refused():
    with pytest.raises(RemoteProtocolError, match="100 are allowed"):
        decode_block(encode_block([numeric_section(100)]), limit_bytes=100)
