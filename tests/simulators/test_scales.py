"""The slope and offset that a manager computes from a declared scale agree exactly with the recording's gain and
baseline.
"""

from fractions import Fraction

import pytest

from protocols.ieee11073.dim.channels import ValueMeaning, channel_of
from protocols.ieee11073.dim.configuration import attributes_of
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.objects import waveform
from protocols.ieee11073.specializations import codes
from simulators.agents.scale import Scale, scale_of


def as_a_manager_reads(scale: Scale) -> tuple[float, float]:
    """Declare a waveform with this scale; return the slope and offset that the product's manager computes."""
    declared = waveform(
        1,
        codes.LEAD_CODES["II"],
        codes.MILLIVOLT,
        period_s=0.002,
        samples=125,
        physical=(float(scale.lower), float(scale.upper)),
        raw=(scale.lower_raw, scale.upper_raw),
    )
    notes = Notes()
    channel = channel_of(1, declared.obj_class, attributes_of(declared.attributes), ValueMeaning(), notes)
    assert notes.drain() == []
    assert channel.array is not None
    return channel.array.slope, channel.array.offset


@pytest.mark.parametrize("gain", ["1", "10", "200", "1250", "1856", "2000", "2281", "38880", "100000", "200.5", "0.25"])
def test_manager_decodes_the_gain_of_a_wfdb_record_exactly(gain: str) -> None:
    assert as_a_manager_reads(scale_of(Fraction(gain))) == (float(1 / Fraction(gain)), 0.0)


@pytest.mark.parametrize(("gain", "baseline"), [(200, 1024), (2000, -512), (100, 7), (200, 32767), (50, -32768)])
def test_manager_decodes_the_baseline_of_a_wfdb_record_exactly(gain: int, baseline: int) -> None:
    assert as_a_manager_reads(scale_of(Fraction(gain), baseline)) == (1 / gain, -baseline / gain)


def test_gain_without_an_exact_decimal_is_approximated_and_marked_as_inexact() -> None:
    scale = scale_of(Fraction(65_537), 3)
    slope, offset = as_a_manager_reads(scale)
    assert not scale.exact
    assert slope == pytest.approx(1 / 65_537, rel=1e-6)
    assert offset == pytest.approx(-3 / 65_537, abs=1e-6)
