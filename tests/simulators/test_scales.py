"""Raw samples keep their meaning: a manager computes the very slope and offset of the recorder's gain and baseline."""

from fractions import Fraction

import pytest

from protocols.medfloat import float_of
from simulators.agents.scale import scale_of


def as_a_manager_reads(octets: bytes) -> tuple[float, float]:
    """slope and offset from a ScaleRangeSpec16, by the conversion of 20601 §8.4."""
    low, high = (float_of(int.from_bytes(octets[at : at + 4], "big")) for at in (0, 4))
    low_raw, high_raw = (int.from_bytes(octets[at : at + 2], "big", signed=True) for at in (8, 10))
    assert isinstance(low, float)
    assert isinstance(high, float)
    slope = (high - low) / (high_raw - low_raw)
    return slope, low - low_raw * slope


@pytest.mark.parametrize("gain", ["1", "10", "200", "1250", "1856", "2000", "2281", "38880", "100000", "200.5", "0.25"])
def test_a_recorders_gain_arrives_exactly(gain: str) -> None:
    assert as_a_manager_reads(scale_of(Fraction(gain)).octets) == (float(1 / Fraction(gain)), 0.0)


@pytest.mark.parametrize(("gain", "baseline"), [(200, 1024), (2000, -512), (100, 7), (200, 32767), (50, -32768)])
def test_a_baseline_arrives_exactly(gain: int, baseline: int) -> None:
    assert as_a_manager_reads(scale_of(Fraction(gain), baseline).octets) == (1 / gain, -baseline / gain)


def test_a_gain_that_no_decimal_expresses_is_as_near_as_a_float_goes_and_says_so() -> None:
    scale = scale_of(Fraction(65_537), 3)
    slope, offset = as_a_manager_reads(scale.octets)
    assert not scale.exact
    assert slope == pytest.approx(1 / 65_537, rel=1e-6)
    assert offset == pytest.approx(-3 / 65_537, abs=1e-6)
