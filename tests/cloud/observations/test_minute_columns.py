"""Columns of minute rows return every value bit for bit, and changed bytes are refused."""

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue, RowKey, decode_body
from cloud.clinical.observations.minutes.columns import ColumnReader, ColumnsUnreadable, ColumnWriter

INTEGERS = st.integers(-(1 << 63), (1 << 63) - 1)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
KEY = RowKey(lane_id=3, source_id=5, channel_id=7, clock_id=11)

VALUES = st.builds(
    MinuteValue,
    lane_id=st.just(KEY.lane_id),
    sequence=INTEGERS,
    position=st.integers(0, 4095),
    source_id=st.just(KEY.source_id),
    channel_id=st.just(KEY.channel_id),
    observed_at_us=INTEGERS,
    uncertainty_us=INTEGERS,
    received_at_us=INTEGERS,
    number=st.none() | FLOATS,
    value=st.none() | st.text(),
    samples=st.none() | st.binary(max_size=40),
    status=st.integers(0, 0xFFFF_FFFF),
    device_time=st.none() | st.binary(min_size=9, max_size=9) | st.binary(max_size=12),
    stored=st.booleans(),
    clock_id=st.just(KEY.clock_id),
    monotonic_us=st.none() | INTEGERS,
    stored_at_us=INTEGERS,
)


def bits(values: list[MinuteValue]) -> list[bytes | None]:
    return [None if one.number is None else struct.pack("<d", one.number) for one in values]


@given(st.lists(VALUES, min_size=1, max_size=30))
def test_body_of_a_minute_row_returns_every_value_bit_for_bit(values: list[MinuteValue]):
    decoded = decode_body(KEY, BodyEncoder().encode(values), len(values))
    assert decoded == values
    assert bits(decoded) == bits(values)


@given(st.lists(INTEGERS, min_size=1))
def test_column_of_integers_holds_the_whole_range_of_64_bits(column: list[int]):
    writer = ColumnWriter()
    writer.integers(column)
    reader = ColumnReader(writer.take())
    assert reader.integers(len(column)) == column
    reader.end()


def value(number: float, sequence: int = 1) -> MinuteValue:
    plain = MinuteValue(3, sequence, 0, 5, 7, 10, 0, 10, number, None, None, 0, None, False, 11, None, 12)
    assert RowKey(plain.lane_id, plain.source_id, plain.channel_id, plain.clock_id) == KEY
    return plain


def test_negative_zero_in_a_minute_row_is_not_zero():
    decoded = decode_body(KEY, BodyEncoder().encode([value(0.0), value(-0.0, 2)]), 2)
    assert [str(one.number) for one in decoded] == ["0.0", "-0.0"]


def test_minute_of_a_reading_a_second_takes_less_than_ten_bytes_a_reading():
    values = [
        value(96.0 + number % 3, number)._replace(
            observed_at_us=number * 1_000_000,
            received_at_us=number * 1_000_000,
            stored_at_us=number * 1_000_000 + 4_000,
        )
        for number in range(60)
    ]
    assert len(BodyEncoder().encode(values)) < 600


@pytest.mark.parametrize("change", ["shorter", "longer", "version", "flipped", "count"])
def test_changed_body_of_a_minute_row_is_refused(change: str):
    body = BodyEncoder().encode([value(97.0, number) for number in range(20)])
    changed = {
        "shorter": body[:-1],
        "longer": body + b"\0",
        "version": b"\x02" + body[1:],
        "flipped": body[:-6] + bytes([body[-6] ^ 1]) + body[-5:],
        "count": body,
    }[change]
    with pytest.raises(ColumnsUnreadable):
        decode_body(KEY, changed, 21 if change == "count" else 20)


@given(st.binary(max_size=200), st.integers(0, 50))
def test_any_bytes_are_columns_or_are_refused(octets: bytes, count: int):
    for read in ("integers", "optional_integers", "optional_floats", "optional_bytes"):
        with suppress(ColumnsUnreadable):
            assert len(getattr(ColumnReader(octets), read)(count)) == count
