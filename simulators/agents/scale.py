"""Scale-and-Range-Specification for 16-bit samples, chosen so that the manager computes exactly the intended scale.

The wire carries two points instead of slope and offset: two physical values as FLOAT (24-bit decimal mantissa), and two
raw values as 16-bit integers. The manager computes slope = (upper − lower) / (upper raw − lower raw) and offset = lower
− lower raw × slope in double precision. A recorder's gain g (raw units per physical unit) and baseline b correspond to
slope 1/g and offset −b/g.

This module searches points b ± k for which k/g is a short decimal, from the widest pair on. It selects the first pair
for which the manager's computation yields the doubles nearest to 1/g and −b/g. If k/g is no finite decimal for any k
within 16 bits (a gain with a large prime factor), no pair is exact. The widest pair is then rounded to the seven digits
of a FLOAT, and `exact` is False.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from math import gcd
from typing import Final

_RAW_MIN: Final = -32768
_RAW_MAX: Final = 32767
_MANTISSA_MAX: Final = (1 << 23) - 3
_TRIES: Final = 4096


@dataclass(frozen=True, slots=True)
class Scale:
    """Scale as two points: `lower` and `upper` are the physical values of the raw samples `lower_raw` and `upper_raw`.
    `exact`: the manager computes the intended slope and offset without rounding."""

    lower: Fraction
    upper: Fraction
    lower_raw: int
    upper_raw: int
    exact: bool

    @property
    def slope(self) -> float:
        """Slope that a manager computes from the two points, in double precision."""
        return (float(self.upper) - float(self.lower)) / (self.upper_raw - self.lower_raw)

    @property
    def offset(self) -> float:
        """Offset that a manager computes from the two points, in double precision."""
        return float(self.lower) - self.lower_raw * self.slope


def scale_of(gain: Fraction, baseline: int = 0) -> Scale:
    """Return the scale for physical value = (raw − baseline) / gain; exact where that is possible."""
    assert gain > 0, "a gain is positive"
    for lower_k, upper_k in _candidates(gain, baseline):
        scale = _scale(gain, baseline, lower_k, upper_k)
        if scale.slope == float(1 / gain) and scale.offset == float(-baseline / gain):
            return scale
    return _rounded(gain, baseline)


def _scale(gain: Fraction, baseline: int, lower_k: int, upper_k: int) -> Scale:
    return Scale(-lower_k / gain, upper_k / gain, baseline - lower_k, baseline + upper_k, exact=True)


def _candidates(gain: Fraction, baseline: int) -> Iterator[tuple[int, int]]:
    """Yield pairs of distances below and above the baseline whose physical values fit a FLOAT. First come symmetric and
    wide pairs, next pairs with raw value 0 as the lower point (the offset is then the lower value, without rounding),
    last narrow pairs."""
    below, above = baseline - _RAW_MIN, _RAW_MAX - baseline
    if below < 0 or above < 0:
        return
    steps = [step for step in _steps(gain) if step <= max(below, above)]
    for step in steps:
        narrow = min(below, above) // step
        yield from _fitting(gain, ((k * step, k * step) for k in range(narrow, max(0, narrow // 2), -1)))
    for step in steps:
        high = above // step
        yield from _fitting(gain, ((baseline, k * step) for k in range(high, max(0, high - _TRIES), -1)))
    for step in steps:
        low, high = below // step * step, above // step
        yield from _fitting(gain, ((low, k * step) for k in range(high, max(-1, high - _TRIES), -1)))
    for step in steps:
        narrow = min(below, above) // step
        yield from _fitting(gain, ((k * step, k * step) for k in range(narrow // 2, 0, -1)))


def _fitting(gain: Fraction, pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    for below, above in islice(pairs, _TRIES):
        if below + above > 0 and _fits(below / gain) and _fits(above / gain):
            yield below, above


def _steps(gain: Fraction) -> list[int]:
    """Return step sizes of the search in raw units: the number of raw units in one physical unit, if that is whole, and
    the smallest raw distance whose physical value is a finite decimal."""
    rest = gain.numerator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    shortest = rest // gcd(rest, gain.denominator)
    whole = [gain.numerator] if gain.denominator == 1 else []
    return list(dict.fromkeys([*whole, shortest]))


def _fits(value: Fraction) -> bool:
    """Return whether the value equals mantissa × 10^−places with a mantissa that fits a FLOAT (24 bits)."""
    for places in range(12):
        scaled = value * Fraction(10) ** places
        if scaled.denominator == 1:
            return bool(abs(scaled.numerator) <= _MANTISSA_MAX)
    return False


def _rounded(gain: Fraction, baseline: int) -> Scale:
    lower, upper = (_RAW_MIN - baseline) / gain, (_RAW_MAX - baseline) / gain
    return Scale(_seven_digits(lower), _seven_digits(upper), _RAW_MIN, _RAW_MAX, exact=False)


def _seven_digits(value: Fraction) -> Fraction:
    """Round the value to the nearest decimal that fits a FLOAT."""
    places = 0
    while abs(value) * 10 ** (places + 1) <= _MANTISSA_MAX and places < 60:
        places += 1
    while abs(value) * Fraction(10) ** places > _MANTISSA_MAX:
        places -= 1
    factor = Fraction(10) ** places
    return Fraction(round(value * factor)) / factor
