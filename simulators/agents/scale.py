"""Scale-and-Range-Specification for 16-bit samples, chosen so that the manager computes exactly the intended scale.

The wire does not carry slope and offset but two points, physical values as FLOAT (24-bit decimal mantissa) and raw ones
as 16-bit integers, and the manager computes slope = (upper − lower) / (upper raw − lower raw) and offset = lower −
lower raw × slope in double precision. A recorder's gain g (raw units per physical unit) and baseline b mean slope 1/g
and offset −b/g. So this module searches for points b ± k with k/g a short decimal, widest first, and keeps the first
pair for which that arithmetic gives the doubles nearest to 1/g and −b/g. Raw samples are sent unchanged; with this
scale their physical values are exact as well.

Where k/g is no finite decimal for any k within 16 bits (a gain with a large prime factor), no pair is exact: then the
widest pair is rounded to the seven digits of a FLOAT, and `exact` is False.
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
    """A scale by two points: `lower` and `upper` are the physical values of the raw samples `lower_raw` and
    `upper_raw`."""

    lower: Fraction
    upper: Fraction
    lower_raw: int
    upper_raw: int
    exact: bool

    @property
    def slope(self) -> float:
        """Slope that a manager computes from the two points."""
        return (float(self.upper) - float(self.lower)) / (self.upper_raw - self.lower_raw)

    @property
    def offset(self) -> float:
        """Offset that a manager computes from the two points."""
        return float(self.lower) - self.lower_raw * self.slope


def scale_of(gain: Fraction, baseline: int = 0) -> Scale:
    """Return the scale for physical = (raw − baseline) / gain."""
    assert gain > 0, "a gain is positive"
    for lower_k, upper_k in _candidates(gain, baseline):
        scale = _scale(gain, baseline, lower_k, upper_k)
        if scale.slope == float(1 / gain) and scale.offset == float(-baseline / gain):
            return scale
    return _rounded(gain, baseline)


def _scale(gain: Fraction, baseline: int, lower_k: int, upper_k: int) -> Scale:
    return Scale(-lower_k / gain, upper_k / gain, baseline - lower_k, baseline + upper_k, exact=True)


def _candidates(gain: Fraction, baseline: int) -> Iterator[tuple[int, int]]:
    """Yield pairs (k below, k above the baseline) whose physical values are FLOATs: symmetric and wide ones first, then
    those with raw 0 below (the offset is then the lower value itself, free of rounding), then narrow ones."""
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
    """Return steps of k: first a whole physical unit, then the smallest k for which k / gain ends as a decimal."""
    rest = gain.numerator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    shortest = rest // gcd(rest, gain.denominator)
    whole = [gain.numerator] if gain.denominator == 1 else []
    return list(dict.fromkeys([*whole, shortest]))


def _fits(value: Fraction) -> bool:
    """Return whether the value is mantissa × 10^−places with a mantissa of 24 bits."""
    for places in range(12):
        scaled = value * Fraction(10) ** places
        if scaled.denominator == 1:
            return bool(abs(scaled.numerator) <= _MANTISSA_MAX)
    return False


def _rounded(gain: Fraction, baseline: int) -> Scale:
    lower, upper = (_RAW_MIN - baseline) / gain, (_RAW_MAX - baseline) / gain
    return Scale(_seven_digits(lower), _seven_digits(upper), _RAW_MIN, _RAW_MAX, exact=False)


def _seven_digits(value: Fraction) -> Fraction:
    """Return the nearest decimal whose mantissa fits a FLOAT."""
    places = 0
    while abs(value) * 10 ** (places + 1) <= _MANTISSA_MAX and places < 60:
        places += 1
    while abs(value) * Fraction(10) ** places > _MANTISSA_MAX:
        places -= 1
    factor = Fraction(10) ** places
    return Fraction(round(value * factor)) / factor
