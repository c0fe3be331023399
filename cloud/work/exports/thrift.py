"""Read and write structures of Thrift's compact protocol, in which the metadata of a Parquet file are.

A structure is a mapping from field numbers to values with their types, in the order in which they were read. Only our
own metadata are read, as pyarrow wrote them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, _MAP, STRUCT = range(1, 13)
_STOP = 0


@dataclass(slots=True)
class Typed:
    """A value and its type. The value of a structure is a mapping from field numbers to such values, that of a list a
    type and its members' values."""

    type: int
    value: Any


Struct = dict[int, Typed]


class Reader:
    """Reads structures from bytes, one after the other."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self) -> Struct:
        fields: Struct = {}
        number = 0
        while head := self._byte():
            delta, type_ = head >> 4, head & 15
            number = number + delta if delta else self._signed()
            fields[number] = Typed(type_, self._value(type_))
        return fields

    def _value(self, type_: int) -> Any:
        match type_:
            case 1 | 2:  # a field's truth value is its type
                return None
            case 3:
                return self._bytes(1)
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._unsigned())
            case 9 | 10:
                head = self._byte()
                member, count = head & 15, head >> 4
                if count == 15:
                    count = self._unsigned()
                return member, [self._member(member) for _ in range(count)]
            case 12:
                return self.struct()
            case _:
                raise AssertionError(f"the metadata of Parquet have no values of the type {type_}")

    def _member(self, type_: int) -> Any:
        return self._bytes(1) if type_ in (TRUE, FALSE) else self._value(type_)

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _bytes(self, count: int) -> bytes:
        self._at += count
        return self._data[self._at - count : self._at]

    def _unsigned(self) -> int:
        number = shift = 0
        while True:
            byte = self._byte()
            number |= (byte & 127) << shift
            if byte < 128:
                return number
            shift += 7

    def _signed(self) -> int:
        number = self._unsigned()
        return number >> 1 ^ -(number & 1)


def struct_bytes(fields: Struct) -> bytes:
    """Return a structure as bytes."""
    out = bytearray()
    _write_struct(out, fields)
    return bytes(out)


def list_bytes(members: Sequence[bytes]) -> bytes:
    """Return the value of a list of structures, of which each is given as bytes."""
    out = bytearray()
    _write_list_head(out, STRUCT, len(members))
    for member in members:
        out += member
    return bytes(out)


def _write_struct(out: bytearray, fields: Struct) -> None:
    last = 0
    for number, typed in fields.items():
        delta = number - last
        if 0 < delta < 16:
            out.append(delta << 4 | typed.type)
        else:
            out.append(typed.type)
            _write_signed(out, number)
        last = number
        _write_value(out, typed.type, typed.value)
    out.append(_STOP)


def _write_value(out: bytearray, type_: int, value: Any) -> None:
    match type_:
        case 1 | 2:
            return
        case 4 | 5 | 6:
            _write_signed(out, value)
        case 8:
            _write_unsigned(out, len(value))
            out += value
        case 9 | 10 if isinstance(value, bytes):  # as `list_bytes` returned it
            out += value
        case 9 | 10:
            member, values = value
            _write_list_head(out, member, len(values))
            for one in values:
                if member in (TRUE, FALSE):
                    out += one
                else:
                    _write_value(out, member, one)
        case 12:
            _write_struct(out, value)
        case _:
            out += value


def _write_list_head(out: bytearray, member: int, count: int) -> None:
    if count < 15:
        out.append(count << 4 | member)
    else:
        out.append(15 << 4 | member)
        _write_unsigned(out, count)


def _write_unsigned(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _write_signed(out: bytearray, number: int) -> None:
    _write_unsigned(out, number << 1 if number >= 0 else (-number << 1) - 1)
