"""MDER encoding of an agent's measurements: the counterpart of `value_fields` (reference 20601 §8.3 to §8.5)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

from protocols.errors import LocalProtocolError
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.nomenclature.code import Code
from protocols.medfloat import float_raw, sfloat_raw
from protocols.observation import Scalar, Special, Value

_CHOICE_OID, _CHOICE_TEXT, _CHOICE_BITS = 1, 2, 16


@dataclass(frozen=True, slots=True)
class FullNumeric:
    """A Nu-Observed-Value: a number with its own metric id and unit. `status` is its Measurement-Status."""

    metric_id: int
    unit_code: int
    value: Scalar
    status: int = 0


@dataclass(frozen=True, slots=True)
class FullEnumeration:
    """An Enum-Observed-Value: a code, a text or 32 bits, with its own metric id. `status` is its Measurement-Status."""

    metric_id: int
    value: Code | str | int
    status: int = 0


Measured = Value | bytes | FullNumeric | tuple[FullNumeric, ...] | FullEnumeration
"""A value in the form of `Observation`, the bytes of samples, big-endian, or a value that names its own meaning."""


def encoded_value(attribute: int, value: Measured) -> bytes:
    """Encode a value as the attribute. Raises `LocalProtocolError` where the attribute cannot hold the value."""
    try:
        data = _encoded(attribute, value)
    except (OverflowError, struct.error):
        raise LocalProtocolError(f"a value does not fit attribute {attribute}") from None
    if data is None:
        raise LocalProtocolError(f"attribute {attribute} does not hold a {type(value).__name__}")
    return data


def own_attribute(value: Measured) -> Attribute | None:
    """Return the attribute for a value that only one attribute can hold. Return None for any other value; the object's
    Attribute-Value-Map then defines the attribute."""
    match value:
        case str():
            return Attribute.ENUM_SIMPLE_STRING
        case FullNumeric():
            return Attribute.NU_OBSERVED
        case FullEnumeration():
            return Attribute.ENUM_OBSERVED
        case tuple() if any(isinstance(item, FullNumeric) for item in value):
            return Attribute.NU_COMPOUND
        case _:
            return None


def _encoded(attribute: int, value: Measured) -> bytes | None:
    match attribute, value:
        case Attribute.NU_BASIC, float() | int() | Special():
            return sfloat_raw(value).to_bytes(2, "big")
        case Attribute.NU_SIMPLE | Attribute.MEASURE_ACTIVE_PERIOD, float() | int() | Special():
            return float_raw(value).to_bytes(4, "big")
        case Attribute.NU_COMPOUND_BASIC, tuple():
            return _listed([sfloat_raw(_scalar(item)).to_bytes(2, "big") for item in value])
        case Attribute.NU_COMPOUND_SIMPLE, tuple():
            return _listed([float_raw(_scalar(item)).to_bytes(4, "big") for item in value])
        case Attribute.NU_OBSERVED, FullNumeric():
            return _full_numeric(value)
        case Attribute.NU_COMPOUND, tuple():
            return _listed([_full_numeric(item) for item in value])
        case Attribute.SA_SIMPLE, bytes():
            return _counted(value)
        case Attribute.ENUM_SIMPLE_OID, Code():
            return value.code.to_bytes(2, "big")
        case Attribute.ENUM_SIMPLE_BITS, int():
            return value.to_bytes(4, "big")
        case Attribute.ENUM_BASIC_BITS, int():
            return value.to_bytes(2, "big")
        case Attribute.ENUM_SIMPLE_STRING, str():
            return _counted(_even(value))
        case Attribute.ENUM_OBSERVED, FullEnumeration():
            return _full_enumeration(value)
    return None


def _scalar(value: object) -> Scalar:
    if isinstance(value, float | int | Special):
        return value
    raise LocalProtocolError(f"a compound of plain numbers does not hold a {type(value).__name__}")


def _full_numeric(value: object) -> bytes:
    if not isinstance(value, FullNumeric):
        raise LocalProtocolError(f"a compound of full numbers does not hold a {type(value).__name__}")
    return struct.pack(">HHHI", value.metric_id, value.status, value.unit_code, float_raw(value.value))


def _full_enumeration(full: FullEnumeration) -> bytes:
    match full.value:
        case Code():
            choice, chosen = _CHOICE_OID, full.value.code.to_bytes(2, "big")
        case str():
            choice, chosen = _CHOICE_TEXT, _counted(_even(full.value))
        case _:
            choice, chosen = _CHOICE_BITS, full.value.to_bytes(4, "big")
    return struct.pack(">HHH", full.metric_id, full.status, choice) + _counted(chosen)


def _even(text: str) -> bytes:
    """Encode a printable string, padded to an even length with a space."""
    data = text.encode()
    return data + b" " * (len(data) % 2)


def _counted(data: bytes) -> bytes:
    return len(data).to_bytes(2, "big") + data


def _listed(items: Sequence[bytes]) -> bytes:
    data = b"".join(items)
    return len(items).to_bytes(2, "big") + _counted(data)
