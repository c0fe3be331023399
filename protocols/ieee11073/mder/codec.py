"""The MDER codec. A wire type is a frozen class whose fields are in wire order, and it needs no code of its own.

`@sequence` reads the annotations once, at import, into a list of (name, element), over which decoding and encoding
iterate. Decoding raises only `RemoteProtocolError`; encoding raises `LocalProtocolError` when a value does not fit its
field. CHOICE has no generic support: APDUs and messages, the two main choices of 20601, are the tag tables of `apdu`.
"""

from dataclasses import dataclass, fields
from typing import Annotated, Any, Protocol, TypeVar, cast, dataclass_transform, get_args, get_origin, get_type_hints

from protocols.errors import LocalProtocolError, RemoteProtocolError
from protocols.ieee11073.mder.annotations import CountedBytes, FixedBytes, Listed, Number, OpenIntEnum
from protocols.reader import Reader

C = TypeVar("C")

_U16_MAX = 0xFFFF


class _Element(Protocol):
    def read(self, reader: Reader) -> Any: ...
    def write(self, value: Any, out: bytearray) -> None: ...


@dataclass(frozen=True, slots=True)
class _NumberElement:
    form: Number

    def read(self, reader: Reader) -> int:
        return reader.signed(self.form.width_bytes) if self.form.signed else reader.unsigned(self.form.width_bytes)

    def write(self, value: int, out: bytearray) -> None:
        try:
            out += value.to_bytes(self.form.width_bytes, "big", signed=self.form.signed)
        except OverflowError:
            raise LocalProtocolError(f"{value} does not fit {self.form.width_bytes} bytes") from None


@dataclass(frozen=True, slots=True)
class _EnumElement:
    type: type[OpenIntEnum]

    def read(self, reader: Reader) -> OpenIntEnum:
        return self.type(reader.unsigned(self.type.width_bytes()))

    def write(self, value: int, out: bytearray) -> None:
        out += value.to_bytes(self.type.width_bytes(), "big")


@dataclass(frozen=True, slots=True)
class _FixedElement:
    form: FixedBytes

    def read(self, reader: Reader) -> bytes:
        return reader.take(self.form.width_bytes)

    def write(self, value: bytes, out: bytearray) -> None:
        if len(value) != self.form.width_bytes:
            raise LocalProtocolError(f"{len(value)} bytes stand where {self.form.width_bytes} are due")
        out += value


@dataclass(frozen=True, slots=True)
class _CountedElement:
    def read(self, reader: Reader) -> bytes:
        return reader.take(reader.u16())

    def write(self, value: bytes, out: bytearray) -> None:
        out += _u16(len(value)) + value


@dataclass(frozen=True, slots=True)
class _SequenceElement:
    type: type[Any]

    def read(self, reader: Reader) -> Any:
        return _read_sequence(self.type, reader)

    def write(self, value: Any, out: bytearray) -> None:
        _write_sequence(value, out)


@dataclass(frozen=True, slots=True)
class _ListElement:
    item: _Element

    def read(self, reader: Reader) -> tuple[Any, ...]:
        count = reader.u16()
        items = reader.inside(reader.u16())
        values: list[Any] = []
        for _ in range(count):
            if not items.remaining:
                raise RemoteProtocolError(
                    f"a list of {count} items ends after {len(values)}", at=items.at, clause="20601 §1 SEQUENCE OF"
                )
            values.append(self.item.read(items))
        items.finish()
        return tuple(values)

    def write(self, value: tuple[Any, ...], out: bytearray) -> None:
        items = bytearray()
        for item in value:
            self.item.write(item, items)
        out += _u16(len(value)) + _u16(len(items)) + items


def _u16(number: int) -> bytes:
    if number > _U16_MAX:
        raise LocalProtocolError(f"a length of {number} does not fit an MDER length")
    return number.to_bytes(2, "big")


def _element(annotation: Any) -> _Element:
    """Return the decoder and encoder for a field's annotation: a marker of the module `annotations`, an open
    enumeration, or a nested sequence."""
    if get_origin(annotation) is Annotated:
        inner, form = get_args(annotation)
        match form:
            case Number():
                return _NumberElement(form)
            case FixedBytes():
                return _FixedElement(form)
            case CountedBytes():
                return _CountedElement()
            case Listed():
                return _ListElement(_element(get_args(inner)[0]))
    if isinstance(annotation, type) and issubclass(annotation, OpenIntEnum):
        return _EnumElement(annotation)
    if isinstance(annotation, type) and annotation in _SEQUENCES:
        return _SequenceElement(annotation)
    raise LocalProtocolError(f"{annotation!r} has no wire form")


_SEQUENCES: dict[type[Any], list[tuple[str, _Element]]] = {}
"""Wire type → its fields in wire order. Filled by `@sequence` at import and never afterwards."""


@dataclass_transform(frozen_default=True)
def sequence(wire_type: type[C]) -> type[C]:
    """Make a class a frozen, slotted wire type, encoded as its fields in order."""
    made = dataclass(frozen=True, slots=True)(wire_type)
    hints = get_type_hints(made, include_extras=True)
    _SEQUENCES[made] = [(field.name, _element(hints[field.name])) for field in fields(cast(Any, made))]
    return made


def _read_sequence(wire_type: type[C], reader: Reader) -> C:
    return wire_type(*[element.read(reader) for _, element in _SEQUENCES[wire_type]])


def _write_sequence(value: object, out: bytearray) -> None:
    for name, element in _SEQUENCES[type(value)]:
        element.write(getattr(value, name), out)


def read(wire_type: type[C], reader: Reader) -> C:
    """Read the next value of `wire_type`. Bytes after the value stay unread."""
    return _read_sequence(wire_type, reader)


def decode(wire_type: type[C], data: bytes) -> C:
    """Decode one value of `wire_type` from all of `data`. Raises `RemoteProtocolError`."""
    reader = Reader(data, clause=f"20601 {wire_type.__name__}")
    value = _read_sequence(wire_type, reader)
    reader.finish()
    return value


def decode_list(item_type: type[C], data: bytes) -> tuple[C, ...]:
    """Decode a SEQUENCE OF that is not a field, such as an attribute's value. Raises `RemoteProtocolError`."""
    reader = Reader(data, clause=f"20601 SEQUENCE OF {item_type.__name__}")
    value = _ListElement(_SequenceElement(item_type)).read(reader)
    reader.finish()
    return value


def encode(value: object) -> bytes:
    """Encode a value of a wire type. Raises `LocalProtocolError` when a field does not fit."""
    out = bytearray()
    _write_sequence(value, out)
    return bytes(out)


def encode_list(items: tuple[Any, ...]) -> bytes:
    """Encode a SEQUENCE OF that is not a field. All items have the same wire type."""
    out = bytearray()
    for item in items:
        _write_sequence(item, out)
    return _u16(len(items)) + _u16(len(out)) + bytes(out)
