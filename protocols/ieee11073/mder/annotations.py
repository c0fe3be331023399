"""The wire forms that a field's annotation can name: `U16`, `Bytes8`, `SequenceOf[AvaType]` (reference 20601 §1).

An annotation is the Python type that a reader of the code sees plus one marker that the codec reads. BITS-n are
numbers as sent; their ASN.1 bit 0 is the most significant bit, so constants are written as the standard's hexadecimal
values.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Number:
    """A big-endian number of that many bytes."""

    width_bytes: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class FixedBytes:
    """A fixed number of bytes as they are, without a length before them."""

    width_bytes: int


@dataclass(frozen=True, slots=True)
class CountedBytes:
    """INT-U16 length, then the bytes: OCTET STRING and ANY DEFINED BY have this same form."""


@dataclass(frozen=True, slots=True)
class Listed:
    """SEQUENCE OF: INT-U16 count, INT-U16 bytes of all items together, the items."""


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
    """An enumeration that keeps a number without a name as a member called `UNNAMED_<number>`.

    On the wire it has `width_bytes()` bytes. A peer with a newer edition of the standard must not break the decoder.
    """

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
    """An open enumeration over INT-U8."""

    @classmethod
    def width_bytes(cls) -> int:
        return 1
