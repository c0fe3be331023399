"""FLOAT-Type and SFLOAT-Type of IEEE 11073 (reference 20601 §1.1): decimal mantissa and exponent, and special values.

value = mantissa × 10^exponent, both two's complement: SFLOAT has 4 + 12 bits, FLOAT 8 + 24. A special value is
recognised by its mantissa alone, because agents in the field send any exponent with it. The reserved mantissa is read
as NaN, since it is not a number and no fifth special value is defined. Python rounds a division by a power of ten
correctly, so a decoded 97.5 or 88.9 equals the literal in Python code.

Decoded numbers are cached by their raw bits: a device sends few different numbers, so the scan-report path costs one
dictionary lookup for each value. The caches are bounded.
"""

import math

from protocols.errors import LocalProtocolError
from protocols.observation import Scalar, Special

_CACHED_MAX = 8192


def _specials(mantissa_bits: int) -> dict[int, Special]:
    """Return a map of raw mantissas to the special values, for a mantissa of `mantissa_bits` bits."""
    half = 1 << (mantissa_bits - 1)
    return {
        half - 1: Special.NAN,
        half: Special.NRES,
        half - 2: Special.PLUS_INFINITY,
        half + 2: Special.MINUS_INFINITY,
        half + 1: Special.NAN,
    }


_SFLOAT_SPECIALS = _specials(12)
_FLOAT_SPECIALS = _specials(24)


def _decode(raw: int, mantissa_bits: int, exponent_bits: int, specials: dict[int, Special]) -> Scalar:
    mantissa = raw & ((1 << mantissa_bits) - 1)
    special = specials.get(mantissa)
    if special is not None:
        return special
    if mantissa >> (mantissa_bits - 1):
        mantissa -= 1 << mantissa_bits
    exponent = raw >> mantissa_bits
    if exponent >> (exponent_bits - 1):
        exponent -= 1 << exponent_bits
    return mantissa / 10**-exponent if exponent < 0 else float(mantissa * 10**exponent)


class _Decoded(dict[int, Scalar]):
    """Cache that maps raw bits to decoded values. A lookup adds a missing value; the cache is cleared when full."""

    def __init__(self, mantissa_bits: int, exponent_bits: int, specials: dict[int, Special]) -> None:
        super().__init__()
        self._mantissa_bits = mantissa_bits
        self._exponent_bits = exponent_bits
        self._specials = specials

    def __missing__(self, raw: int) -> Scalar:
        if len(self) >= _CACHED_MAX:
            self.clear()
        value = self[raw] = _decode(raw, self._mantissa_bits, self._exponent_bits, self._specials)
        return value


_SFLOATS = _Decoded(12, 4, _SFLOAT_SPECIALS)
_FLOATS = _Decoded(24, 8, _FLOAT_SPECIALS)

sfloat_of = _SFLOATS.__getitem__
"""Returns the value of an SFLOAT, given its 16 bits as an unsigned number."""

float_of = _FLOATS.__getitem__
"""Returns the value of a FLOAT, given its 32 bits as an unsigned number."""


def _raw_special(value: Special, specials: dict[int, Special]) -> int:
    return next(mantissa for mantissa, special in specials.items() if special is value)


def _encode(
    value: Scalar, decimals: int | None, mantissa_bits: int, exponent_bits: int, specials: dict[int, Special]
) -> int:
    if isinstance(value, Special):
        return _raw_special(value, specials)
    if not math.isfinite(value):
        raise LocalProtocolError("a float that is no number has to be said as a Special")
    mantissa_max = (1 << (mantissa_bits - 1)) - 3
    exponent_min, exponent_max = -(1 << (exponent_bits - 1)), (1 << (exponent_bits - 1)) - 1
    places = _decimals(value, -exponent_min) if decimals is None else decimals
    exponent = -places
    mantissa = _scaled(value, exponent)
    while abs(mantissa) > mantissa_max and exponent < exponent_max:
        exponent += 1
        mantissa = _scaled(value, exponent)
    if abs(mantissa) > mantissa_max:
        return _raw_special(Special.PLUS_INFINITY if value > 0 else Special.MINUS_INFINITY, specials)
    if exponent < exponent_min:
        raise LocalProtocolError(f"{decimals} decimals do not fit this float")
    return (exponent & ((1 << exponent_bits) - 1)) << mantissa_bits | (mantissa & ((1 << mantissa_bits) - 1))


def _scaled(value: float, exponent: int) -> int:
    return round(value * 10.0**-exponent) if exponent <= 0 else round(value / 10**exponent)


def _decimals(value: float, most: int) -> int:
    """Return the smallest number of decimals, at most `most`, that represents `value` exactly."""
    for places in range(most):
        if round(value, places) == value:
            return places
    return most


def sfloat_raw(value: Scalar, *, decimals: int | None = None) -> int:
    """Return the 16 bits of an SFLOAT. `decimals` sets the number of decimals, and so the exponent (98 with 1 decimal
    is 980 × 10⁻¹); None uses as many decimals as the value needs. A value with too many digits for the mantissa loses
    its last digits; a value that is too large becomes infinite."""
    return _encode(value, decimals, 12, 4, _SFLOAT_SPECIALS)


def float_raw(value: Scalar, *, decimals: int | None = None) -> int:
    """Return the 32 bits of a FLOAT with `decimals` decimals (None: as many as the value needs). A value with too many
    digits for the mantissa loses its last digits; a value that is too large becomes infinite."""
    return _encode(value, decimals, 24, 8, _FLOAT_SPECIALS)
