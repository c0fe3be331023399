"""Every wire type, number and time is decoded to the value that was encoded, and encoded to the decoded bytes.

The values are generated from the annotations of the wire types, so a new structure needs no new test.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import BODIES, MessageTag, Prst, body_of, decode_apdu, decode_data, encode_data
from protocols.ieee11073.apdu.pm_store import (
    AllSegments,
    SegmentList,
    TimeRange,
    decode_selection,
    encode_selection,
)
from protocols.ieee11073.mder import decode, encode
from protocols.ieee11073.mder.annotations import CountedBytes, FixedBytes, Listed, Number, OpenIntEnum
from protocols.ieee11073.mder.codec import _SEQUENCES
from protocols.medfloat import float_of, float_raw, sfloat_of, sfloat_raw
from tests.builders.ieee11073_trees import hints_of

WIRE_TYPES = sorted(_SEQUENCES, key=lambda one: one.__name__)
FEW = settings(max_examples=25, derandomize=True)
MANY = settings(max_examples=300, derandomize=True)


def values_of(annotation: Any) -> st.SearchStrategy[Any]:
    """Generate any value that can be encoded in the wire form of this annotation; lists and bytes are short."""
    if get_origin(annotation) is Annotated:
        inner, form = get_args(annotation)
        match form:
            case Number(width_bytes=octets, signed=signed):
                low, high = (
                    (-(1 << 8 * octets - 1), (1 << 8 * octets - 1) - 1) if signed else (0, (1 << 8 * octets) - 1)
                )
                return st.integers(low, high)
            case FixedBytes(width_bytes=octets):
                return st.binary(min_size=octets, max_size=octets)
            case CountedBytes():
                return st.binary(max_size=24)
            case Listed():
                return st.lists(values_of(get_args(inner)[0]), max_size=3).map(tuple)
    if issubclass(annotation, OpenIntEnum):
        return st.integers(0, (1 << 8 * annotation.width_bytes()) - 1).map(annotation)
    return st.builds(annotation, *[values_of(hint) for _, hint in hints_of(annotation)])


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=lambda one: one.__name__)
def test_encoded_value_of_each_wire_type_is_decoded_to_the_same_value(wire_type: type[Any]) -> None:
    @FEW
    @given(values_of(wire_type))
    def comes_back(value: Any) -> None:
        octets = encode(value)
        assert decode(wire_type, octets) == value
        assert encode(decode(wire_type, octets)) == octets
        for cut in range(len(octets)):
            with pytest.raises(RemoteProtocolError):
                decode(wire_type, octets[:cut])
        with pytest.raises(RemoteProtocolError):
            decode(wire_type, octets + b"\x00")

    comes_back()


@pytest.mark.parametrize("message", sorted(BODIES), ids=lambda tag: MessageTag(tag).name)
def test_encoded_message_is_decoded_to_the_same_message(message: int) -> None:
    @FEW
    @given(st.integers(0, 0xFFFF), values_of(BODIES[message]))
    def comes_back(invoke_id: int, body: Any) -> None:
        octets = encode_data(invoke_id, MessageTag(message), body)
        found = decode_apdu(octets)
        assert isinstance(found, Prst)
        data = decode_data(found.data)
        assert (data.invoke_id, data.message, body_of(data)) == (invoke_id, message, body)

    comes_back()


@pytest.mark.parametrize("wire_type", WIRE_TYPES, ids=lambda one: one.__name__)
def test_bytes_that_can_be_decoded_are_encoded_to_the_same_bytes(wire_type: type[Any]) -> None:
    """A value has one encoding: any bytes that decode are the bytes to which the value encodes."""

    @FEW
    @given(st.binary(max_size=40))
    def written_back(octets: bytes) -> None:
        try:
            value = decode(wire_type, octets)
        except RemoteProtocolError:
            return
        assert encode(value) == octets

    written_back()


@MANY
@given(
    st.one_of(
        st.just(AllSegments()),
        st.lists(st.integers(0, 0xFFFF), max_size=5).map(lambda numbers: SegmentList(tuple(numbers))),
        st.builds(TimeRange, st.binary(min_size=8, max_size=8), st.binary(min_size=8, max_size=8)),
    )
)
def test_encoded_segment_selection_is_decoded_to_the_same_selection(
    selection: AllSegments | SegmentList | TimeRange,
) -> None:
    assert decode_selection(encode_selection(selection)) == selection


def test_every_sfloat_is_encoded_to_bits_of_the_same_value() -> None:
    """All 65 536 of them. A value alone keeps its number, but not the precision of its exponent."""
    for raw in range(0x10000):
        value = sfloat_of(raw)
        again = sfloat_raw(value)
        assert sfloat_of(again) == value, hex(raw)
        assert sfloat_raw(sfloat_of(again)) == again


@MANY
@given(st.integers(0, 0xFFFF_FFFF))
def test_any_float_is_encoded_to_bits_of_the_same_value(raw: int) -> None:
    value = float_of(raw)
    again = float_raw(value)
    assert float_of(again) == value
    assert float_raw(float_of(again)) == again


@MANY
@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))  # noqa: DTZ001  # local time
def test_date_encoded_as_absolute_time_is_decoded_to_the_same_date(moment: datetime) -> None:
    moment = moment.replace(microsecond=moment.microsecond // 10_000 * 10_000, tzinfo=UTC)
    made = absolute_time(moment)
    assert made.local_us() == (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert made.text() == f"{moment.replace(tzinfo=None).isoformat(timespec='milliseconds')}"


@MANY
@given(st.sampled_from(TimeKind), st.binary(min_size=8, max_size=8))
def test_device_time_of_any_bytes_is_printed_as_a_time_or_in_hexadecimal(kind: TimeKind, octets: bytes) -> None:
    time = DeviceTime(kind, octets[:4] if kind is TimeKind.RELATIVE else octets)
    text = time.text()
    if time.local_us() is None:
        assert text.endswith(time.octets.hex())
    else:
        assert "0x" not in text
