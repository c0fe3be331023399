"""Declarative layouts of GATT characteristic values: one table of rows decodes and encodes a value (reference BLE §1).

A value may begin with a flags field. A row of the table is either bits of the flags field (`Flag`) or a field of the
value (`Field`), which a flag may announce. Rows are in wire order. The fields of fixed length that are present under
one combination of flags form one little-endian `struct`, so a value is unpacked in one call. The `struct` is compiled
when its combination of flags first arrives. A field without a fixed length (a list, a checksum, unconfirmed bytes) is
the last row.

A flag without a row announces a field of unknown length, so the bytes after it cannot be decoded: this is a protocol
error. Values with other dependencies between fields (nested observations, control points) are decoded with
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
    """Wire form of a field: its `struct` letters, and the functions that convert the unpacked numbers to the field's
    value (`decode`) and back (`encode`)."""

    letters: str
    decode: Callable[..., Any]
    encode: Callable[[Any], tuple[Any, ...]]


class Tail(NamedTuple):
    """Form of a last field without a fixed length. `decode` gets the characteristic value, the offset of the field, and
    the clause for errors. `encode` gets the preceding bytes and the field's value, and returns the bytes to append."""

    decode: Callable[[bytes, int, str], Any]
    encode: Callable[[bytes, Any], bytes]


class Either(NamedTuple):
    """Two forms of a field: `where_set` applies where flag `bit` is set, `where_clear` where it is clear."""

    bit: int
    where_set: FieldType
    where_clear: FieldType


class Flag(NamedTuple):
    """Dataclass field that is stored in the flags field, in `width` bits from bit `bit` on. `values` are the meanings
    of the numbers 0, 1, …; with an empty tuple the number itself is the value."""

    name: str
    bit: int
    values: tuple[Any, ...] = (False, True)
    width: int = 1


class Field(NamedTuple):
    """Field of the value. `bit` is the flag bit that announces the field; None: the field is always present."""

    name: str
    type: FieldType | Either | Tail
    bit: int | None = None


class _Form(NamedTuple):
    """Compiled layout under one combination of flags. `facts` are the values of the `Flag` rows."""

    struct: struct.Struct
    facts: dict[str, Any]
    fields: tuple[tuple[str, slice, FieldType], ...]
    tail: tuple[str, Tail] | None


class ValueLayout(Generic[V]):
    """Decoder and encoder of one characteristic, whose values are instances of the dataclass `value_type`."""

    def __init__(self, value_type: type[V], clause: str, *rows: Flag | Field, flags_bytes: int = 0) -> None:
        """Check the rows against the dataclass. `clause` names the characteristic in errors. `flags_bytes` is the
        length of the flags field; 0: the value has no flags."""
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
        """Assert that rows and dataclass have the same field names, and that each optional field has a default."""
        declared = {field.name: field for field in fields(self._value_type)}  # type: ignore[arg-type]
        names = [fact.name for fact in self._facts] + [field.name for field in self._fields]
        assert sorted(names) == sorted(declared), self._value_type
        for field in self._fields:
            assert field.bit is None or declared[field.name].default is not MISSING, field

    def decode(self, data: bytes) -> V:
        """Decode a value. Raises `RemoteProtocolError` for a wrong length, an unknown flag, or an invalid field."""
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
        """Encode a value. Raises `LocalProtocolError` where a field of the value does not fit its wire form."""
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
    """Decoder and encoder of a characteristic that consists of one field."""

    def __init__(self, clause: str, field_type: FieldType) -> None:
        self._layout = ValueLayout(_Single, clause, Field("value", field_type))

    def decode(self, data: bytes) -> V:
        """Decode the field. Raises `RemoteProtocolError` where the bytes are malformed."""
        value: V = self._layout.decode(data).value
        return value

    def encode(self, value: V) -> bytes:
        """Encode the field. Raises `LocalProtocolError` where the value does not fit its wire form."""
        return self._layout.encode(_Single(value))


@dataclass(frozen=True, slots=True)
class _Single:
    value: Any


def _same(value: Any) -> Any:
    return value


def one_column(letter: str, decode: Callable[[Any], Any] = _same, encode: Callable[[Any], Any] = _same) -> FieldType:
    """Declare a field of one `struct` letter. `decode` converts the unpacked number to the field's value, and `encode`
    converts the field's value to the number."""
    return FieldType(letter, decode, lambda value: (encode(value),))


def _wide_number(size: int) -> FieldType:
    """Declare an unsigned number of `size` bytes, for sizes that have no `struct` letter."""
    return one_column(
        f"{size}s", lambda data: int.from_bytes(data, "little"), lambda value: value.to_bytes(size, "little")
    )


def raw_bytes(size: int) -> FieldType:
    """Declare a field of `size` bytes that are kept as sent."""

    def encode(value: bytes) -> bytes:
        if len(value) != size:
            raise LocalProtocolError(f"{len(value)} bytes do not fit a field of {size}")
        return value

    return one_column(f"{size}s", encode=encode)


def group(make: Callable[..., Any], take_apart: Callable[[Any], tuple[Any, ...]], *types: FieldType) -> FieldType:
    """Declare one field made of several wire fields, each of one `struct` letter. `make` combines their values;
    `take_apart` splits the combined value."""

    def decode(*columns: Any) -> Any:
        return make(*[each.decode(column) for each, column in zip(types, columns, strict=True)])

    def encode(value: Any) -> tuple[Any, ...]:
        return tuple(each.encode(part)[0] for each, part in zip(types, take_apart(value), strict=True))

    return FieldType("".join(each.letters for each in types), decode, encode)


def record(value_type: type[Any], **types: FieldType) -> FieldType:
    """Declare one field whose value is a dataclass of two or more wire fields. `types` must be in the order of the
    dataclass fields."""
    return group(value_type, attrgetter(*types), *types.values())


def pair(first: FieldType, second: FieldType) -> FieldType:
    """Declare one field whose value is a tuple of two wire fields."""
    return group(lambda *parts: parts, tuple, first, second)


def many(letter: str) -> Tail:
    """Declare a list of numbers of one `struct` letter up to the end of the value. An empty list is an error: a flag
    announces the list, so the value is truncated."""
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
    """Declare an optional E2E-CRC at the end of a value. The field is True where a CRC is present and correct, False
    where it is absent. If the CRC also covers bytes that precede the value (a size byte), `before` returns these bytes;
    its argument is the length of the value including the CRC."""

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
