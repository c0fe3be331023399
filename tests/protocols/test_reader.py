"""The reader of binary data returns bytes and numbers, and never reads beyond the end."""

from collections.abc import Callable

import pytest

from protocols.errors import RemoteProtocolError
from protocols.reader import Reader

OCTETS = bytes.fromhex("80 FFFE 80000001 0102030405060708")


def test_unsigned_numbers_are_read_in_big_endian_byte_order() -> None:
    reader = Reader(OCTETS)
    assert (reader.u8(), reader.u16(), reader.u32()) == (0x80, 0xFFFE, 0x8000_0001)
    assert reader.unsigned(8) == 0x0102_0304_0506_0708
    reader.finish()


def test_signed_numbers_are_read_as_twos_complement() -> None:
    reader = Reader(OCTETS)
    assert (reader.signed(1), reader.signed(2), reader.signed(4)) == (-128, -2, -0x7FFF_FFFF)


@pytest.mark.parametrize(
    ("read", "octets"),
    [
        (Reader.u8, 1),
        (Reader.u16, 2),
        (Reader.u32, 4),
        (lambda reader: reader.unsigned(6), 6),
        (lambda reader: reader.signed(2), 2),
        (lambda reader: reader.take(5), 5),
        (lambda reader: reader.inside(3), 3),
    ],
)
def test_reading_a_missing_byte_is_a_remote_protocol_error_with_its_position(
    read: Callable[[Reader], object], octets: int
) -> None:
    reader = Reader(bytes(octets + 1), clause="the rule")
    reader.take(2)
    with pytest.raises(RemoteProtocolError) as caught:
        read(reader)
    assert (caught.value.at, caught.value.clause) == (2, "the rule")
    assert reader.at == 2


def test_nested_reader_cannot_read_past_its_length() -> None:
    reader = Reader(OCTETS)
    nested = reader.inside(3)
    assert (nested.take(3), nested.at, reader.at) == (OCTETS[:3], 3, 3)
    with pytest.raises(RemoteProtocolError, match="1 bytes are due and 0 are left"):
        nested.u8()


def test_unread_bytes_at_the_end_are_a_remote_protocol_error() -> None:
    reader = Reader(OCTETS)
    reader.take(14)
    with pytest.raises(RemoteProtocolError, match="1 bytes are left over at byte 14"):
        reader.finish()
    assert reader.rest() == b"\x08"
    reader.finish()
