"""Annotations that define the wire encoding of a field: `U16`, `Bytes8`, `SequenceOf[AvaType]` (reference 20601 §1).

An annotation combines the field's Python type with one marker that the codec reads. BITS-n fields are numbers as sent.
ASN.1 counts bit 0 as the most significant bit, so constants have the standard's hexadecimal values.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """A big-endian number of `width_bytes` bytes, in two's complement if `signed`."""

    width_bytes: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """A fixed number of bytes, sent without a length."""

    width_bytes: int


@dataclass(frozen=True, slots=True)
class CountedBytes:
    """Bytes preceded by their INT-U16 length: the encoding of OCTET STRING and ANY DEFINED BY."""


@dataclass(frozen=True, slots=True)
class Listed:
    """SEQUENCE OF: the number of items (INT-U16), the length of all items in bytes (INT-U16), and the items."""


U8 = Annotated[int, Number(1)]
U16 = Annotated[int, Number(2)]
U32 = Annotated[int, Number(4)]
I16 = Annotated[int, Number(2, signed=True)]
I32 = Annotated[int, Number(4, signed=True)]
Bits16 = U16
Bits32 = U32
Handle = U16
OidType = U16
RelativeTime = U32
Bytes8 = Annotated[bytes, FixedBytes(8)]
OctetString = Annotated[bytes, CountedBytes()]
AnyDefinedBy = Annotated[bytes, CountedBytes()]
SequenceOf = Annotated[tuple[T, ...], Listed()]


class OpenIntEnum(IntEnum):
    """An enumeration that accepts unnamed numbers, as members `UNNAMED_<number>`, so that a peer with a newer edition
    of the standard does not break the decoder. The number has `width_bytes()` bytes on the wire."""

    @classmethod
    def width_bytes(cls) -> int:
        return 2

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, int) or not 0 <= value < 1 << 8 * cls.width_bytes():
            return None
        member = int.__new__(cls, value)
        member._name_ = f"UNNAMED_{value}"
        member._value_ = value
        return member


class OpenIntEnum8(OpenIntEnum):
    """An open enumeration that is one byte (INT-U8) on the wire."""

    @classmethod
    def width_bytes(cls) -> int:
        return 1
