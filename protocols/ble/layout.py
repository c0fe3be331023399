"""Declarative layouts of GATT characteristic values: one table of rows decodes and encodes a value (reference BLE §1).

A value may begin with a flags field. A row is either a fact that the flags hold (`Flag`), or a field (`Field`), which
may be present only where a flag announces it. Rows are in wire order. For each combination of flags the fields of fixed
length become one little-endian `struct`, compiled when it first arrives, so a value is unpacked in one call. A field
without a fixed length (a list, a checksum, unconfirmed bytes) is the last row.

A flag without a row announces a field of unknown length, so the bytes after it cannot be read: that is a protocol
error. Values whose fields depend on each other in other ways (nested observations, control points) are decoded with
`wire.GattReader` instead.
"""

import struct
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields
from operator import attrgetter
from typing import Any, Final, Generic, NamedTuple, TypeVar

from protocols.ble.e2e_crc import CRC_BYTES, checked, e2e_crc
from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.medfloat import float_of, float_raw, sfloat_of, sfloat_raw

V = TypeVar("V")

_FORMS_MAX: Final = 256
"""Limit of compiled flag combinations of one layout, a few hundred kilobytes. A device sends a few; only the thirteen
flags of Body Composition have more."""


class FieldType(NamedTuple):
    """Wire form of a field: `struct` letters, and the conversions between the unpacked numbers and the field's
    value."""

    letters: str
    decode: Callable[..., Any]
    encode: Callable[[Any], tuple[Any, ...]]


class Tail(NamedTuple):
    """A last field of open length. `decode` gets the whole value and the offset of the tail; `encode` gets the
    preceding bytes and the field's value, and returns the bytes to append."""

    decode: Callable[[bytes, int, str], Any]
    encode: Callable[[bytes, Any], bytes]


class Either(NamedTuple):
    """A type selected by a flag."""

    bit: int
    where_set: FieldType
    where_clear: FieldType


class Flag(NamedTuple):
    """A fact of `width` bits in the flags. `values` are the meanings of the numbers; empty: the number itself."""

    name: str
    bit: int
    values: tuple[Any, ...] = (False, True)
    width: int = 1


class Field(NamedTuple):
    """A field. `bit`: the flag that announces it; None: always present."""

    name: str
    type: FieldType | Either | Tail
    bit: int | None = None


class _Form(NamedTuple):
    """A layout under one combination of flags."""

    struct: struct.Struct
    facts: dict[str, Any]
    fields: tuple[tuple[str, slice, FieldType], ...]
    tail: tuple[str, Tail] | None


class ValueLayout(Generic[V]):
    """The layout of one characteristic whose values are the dataclass `value_type`."""

    def __init__(self, value_type: type[V], clause: str, *rows: Flag | Field, flags_bytes: int = 0) -> None:
        """Compile the layout. `clause` names the characteristic in errors. `flags_bytes` 0: the value has no flags."""
        self._value_type = value_type
        self._clause = clause
        self._flags_bytes = flags_bytes
        self._facts = tuple(row for row in rows if isinstance(row, Flag))
        self._fields = tuple(row for row in rows if isinstance(row, Field))
        self._known_flags = 0
        for fact in self._facts:
            self._known_flags |= ((1 << fact.width) - 1) << fact.bit
        for field in self._fields:
            if field.bit is not None:
                self._known_flags |= 1 << field.bit
        self._forms: dict[int, _Form] = {}
        self._check_names()

    def _check_names(self) -> None:
        """Check that the rows are the fields of the dataclass, and that each optional field has a default."""
        declared = {field.name: field for field in fields(self._value_type)}  # type: ignore[arg-type]
        names = [fact.name for fact in self._facts] + [field.name for field in self._fields]
        assert sorted(names) == sorted(declared), self._value_type
        for field in self._fields:
            assert field.bit is None or declared[field.name].default is not MISSING, field

    def decode(self, data: bytes) -> V:
        """Decode a value. Raises `RemoteProtocolError`."""
        flags = int.from_bytes(data[: self._flags_bytes], "little")
        form = self._forms.get(flags)
        if form is None:
            if flags & ~self._known_flags:
                raise RemoteProtocolError(
                    f"flag bits 0x{flags & ~self._known_flags:X} have no meaning", at=0, clause=self._clause
                )
            form = self._compile(flags)
        due = form.struct.size
        if len(data) != due and (len(data) < due or form.tail is None):
            raise RemoteProtocolError(f"{due} bytes are due and {len(data)} came", at=0, clause=self._clause)
        columns = form.struct.unpack_from(data)
        values = form.facts.copy()
        for name, columns_of_field, field_type in form.fields:
            values[name] = field_type.decode(*columns[columns_of_field])
        if form.tail is not None:
            name, tail = form.tail
            values[name] = tail.decode(data, due, self._clause)
        return self._value_type(**values)

    def encode(self, value: V) -> bytes:
        """Encode a value. Raises `LocalProtocolError` where a wire field cannot hold its value."""
        flags = self._flags_of(value)
        form = self._forms.get(flags) or self._compile(flags)
        columns: list[Any] = [flags] if self._flags_bytes else []
        try:
            for name, _, field_type in form.fields:
                columns += field_type.encode(getattr(value, name))
            head = form.struct.pack(*columns)
        except (OverflowError, struct.error) as error:
            raise LocalProtocolError(f"a field does not fit {self._clause}: {error}") from None
        if form.tail is None:
            return head
        name, tail = form.tail
        return head + tail.encode(head, getattr(value, name))

    def _flags_of(self, value: V) -> int:
        flags = 0
        for fact in self._facts:
            number = getattr(value, fact.name)
            if fact.values:
                number = fact.values.index(number)
            if number >> fact.width:
                raise LocalProtocolError(f"{fact.name} {number} does not fit {fact.width} bits")
            flags |= number << fact.bit
        for field in self._fields:
            if field.bit is not None and getattr(value, field.name) not in (None, ()):
                flags |= 1 << field.bit
        return flags

    def _compile(self, flags: int) -> _Form:
        letters = {0: "<", 1: "<B", 2: "<H"}[self._flags_bytes]
        at = 1 if self._flags_bytes else 0
        found: list[tuple[str, slice, FieldType]] = []
        tail: tuple[str, Tail] | None = None
        for name, field_type, bit in self._fields:
            if bit is not None and not flags >> bit & 1:
                continue
            if isinstance(field_type, Tail):
                tail = name, field_type
                continue
            if isinstance(field_type, Either):
                field_type = field_type.where_set if flags >> field_type.bit & 1 else field_type.where_clear
            count = len(struct.unpack("<" + field_type.letters, bytes(struct.calcsize("<" + field_type.letters))))
            found.append((name, slice(at, at + count), field_type))
            letters += field_type.letters
            at += count
        facts: dict[str, Any] = {}
        for fact in self._facts:
            number = flags >> fact.bit & (1 << fact.width) - 1
            facts[fact.name] = fact.values[number] if fact.values else number
        form = _Form(struct.Struct(letters), facts, tuple(found), tail)
        if len(self._forms) >= _FORMS_MAX:
            self._forms.clear()
        self._forms[flags] = form
        return form


class SingleField(Generic[V]):
    """The layout of a characteristic that is one field."""

    def __init__(self, clause: str, field_type: FieldType) -> None:
        self._layout = ValueLayout(_Single, clause, Field("value", field_type))

    def decode(self, data: bytes) -> V:
        """Decode the field. Raises `RemoteProtocolError`."""
        value: V = self._layout.decode(data).value
        return value

    def encode(self, value: V) -> bytes:
        """Encode the field. Raises `LocalProtocolError` where the value does not fit."""
        return self._layout.encode(_Single(value))


@dataclass(frozen=True, slots=True)
class _Single:
    value: Any


def _same(value: Any) -> Any:
    return value


def one_column(letter: str, decode: Callable[[Any], Any] = _same, encode: Callable[[Any], Any] = _same) -> FieldType:
    """Declare a field that `struct` unpacks to one value."""
    return FieldType(letter, decode, lambda value: (encode(value),))


def _wide_number(size: int) -> FieldType:
    """Declare an unsigned number of a size for which `struct` has no letter."""
    return one_column(
        f"{size}s", lambda data: int.from_bytes(data, "little"), lambda value: value.to_bytes(size, "little")
    )


def raw_bytes(size: int) -> FieldType:
    """Declare bytes as sent."""

    def encode(value: bytes) -> bytes:
        if len(value) != size:
            raise LocalProtocolError(f"{len(value)} bytes do not fit a field of {size}")
        return value

    return one_column(f"{size}s", encode=encode)


def group(make: Callable[..., Any], take_apart: Callable[[Any], tuple[Any, ...]], *types: FieldType) -> FieldType:
    """Declare fields that form one value together, each of one column."""

    def decode(*columns: Any) -> Any:
        return make(*[each.decode(column) for each, column in zip(types, columns, strict=True)])

    def encode(value: Any) -> tuple[Any, ...]:
        return tuple(each.encode(part)[0] for each, part in zip(types, take_apart(value), strict=True))

    return FieldType("".join(each.letters for each in types), decode, encode)


def record(value_type: type[Any], **types: FieldType) -> FieldType:
    """Declare fields that form one dataclass together, in the order of its fields, at least two."""
    return group(value_type, attrgetter(*types), *types.values())


def pair(first: FieldType, second: FieldType) -> FieldType:
    """Declare two fields that are present together."""
    return group(lambda *parts: parts, tuple, first, second)


def many(letter: str) -> Tail:
    """Declare numbers up to the end, at least one: a flag announced them, so an empty list is a truncated value."""
    size = struct.calcsize("<" + letter)

    def decode(data: bytes, at: int, clause: str) -> tuple[Any, ...]:
        count, rest = divmod(len(data) - at, size)
        if rest or not count:
            raise RemoteProtocolError(f"{len(data) - at} bytes are no list of {size} each", at=at, clause=clause)
        return struct.unpack_from(f"<{count}{letter}", data, at)

    def encode(head: bytes, value: tuple[Any, ...]) -> bytes:
        try:
            return struct.pack(f"<{len(value)}{letter}", *value)
        except struct.error as error:
            raise LocalProtocolError(f"a number does not fit its field: {error}") from None

    return Tail(decode, encode)


def e2e_crc_tail(before: Callable[[int], bytes] = lambda _: b"") -> Tail:
    """Declare a tail that is true where the value ends in an E2E-CRC, which is checked. `before`: bytes before the
    layout that the check also covers, by the number of bytes of the layout."""

    def decode(data: bytes, at: int, clause: str) -> bool:
        if len(data) == at:
            return False
        if len(data) != at + CRC_BYTES:
            raise RemoteProtocolError(f"{len(data) - at} bytes are left over", at=at, clause=clause)
        checked(before(len(data)) + data[:at], int.from_bytes(data[at:], "little"), clause=clause)
        return True

    def encode(head: bytes, value: Any) -> bytes:
        if not value:
            return b""
        return e2e_crc(before(len(head) + CRC_BYTES) + head).to_bytes(CRC_BYTES, "little")

    return Tail(decode, encode)


U8: Final = one_column("B")
U16: Final = one_column("H")
U24: Final = _wide_number(3)
U32: Final = one_column("I")
U48: Final = _wide_number(6)
I8: Final = one_column("b")
I16: Final = one_column("h")
SFLOAT: Final = one_column("H", sfloat_of, sfloat_raw)
"""medfloat16."""
FLOAT32: Final = one_column("I", float_of, float_raw)
"""medfloat32."""
DATE_TIME: Final = raw_bytes(7)
"""Date Time (0x2A08) as sent."""
REST: Final = Tail(lambda data, at, _: data[at:], lambda _, value: value)
"""Bytes up to the end, as sent."""
E2E_CRC: Final = e2e_crc_tail()
