"""Plausible ranges of vital signs include the extremes of living patients, and exclude values with a misplaced decimal
point or in a wrong unit.
"""

import pytest

from protocols.ieee11073.nomenclature import Term, all_terms, code_of
from protocols.observation import Special
from protocols.plausibility import bounds_of, is_implausible


@pytest.mark.parametrize(
    ("ref_id", "unit", "value", "outside"),
    [
        ("MDC_PULS_OXIM_SAT_O2", "%", 100.0, False),
        ("MDC_PULS_OXIM_SAT_O2", "%", 980.0, True),
        ("MDC_PULS_OXIM_SAT_O2", "%", -1.0, True),
        ("MDC_ECG_HEART_RATE", "{beat}/min", 320.0, False),
        ("MDC_ECG_HEART_RATE", "/min", 7200.0, True),
        ("MDC_PRESS_BLD_NONINV_SYS", "mm[Hg]", 480.0, False),
        ("MDC_PRESS_BLD_NONINV_SYS", "kPa", 120.0, True),
        ("MDC_PRESS_BLD_VEN_CENT_MEAN", "mm[Hg]", -5.0, False),
        ("MDC_TEMP_BODY", "Cel", 11.8, False),
        ("MDC_TEMP_BODY", "Cel", 98.6, True),
        ("MDC_TEMP_BODY", "[degF]", 98.6, False),
        ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "mmol/L", 147.0, False),
        ("MDC_CONC_GLU_CAPILLARY_WHOLEBLOOD", "mmol/L", 600.0, True),
        ("MDC_MASS_BODY_ACTUAL", "g", 450.0, False),
    ],
)
def test_plausibility_bounds_include_values_of_extreme_patients_and_exclude_errors(
    ref_id: str, unit: str, value: float, outside: bool
) -> None:
    bounds = bounds_of(ref_id, unit)
    assert bounds is not None
    assert (not bounds.low <= value <= bounds.high) is outside


@pytest.mark.parametrize(
    ("ref_id", "unit"),
    [
        ("MDC_PULS_OXIM_SAT_O2_DIFF", "%"),
        ("MDC_TEMP_ROOM", "Cel"),
        ("MDC_CONC_GLU_CONTROL", "mg/dL"),
        ("MDC_PULS_OXIM_SAT_O2", "mm[Hg]"),
        ("X_PRIVATE_99", "%"),
    ],
)
def test_codes_and_units_outside_the_plausibility_table_have_no_bounds(ref_id: str, unit: str) -> None:
    assert bounds_of(ref_id, unit) is None


def test_plausibility_bounds_of_a_code_exist_in_every_usual_unit_of_the_code() -> None:
    for term in all_terms():
        if isinstance(term, Term) and term.units and bounds_of(term.ref_id, term.ucum) is not None:
            assert all(bounds_of(term.ref_id, unit) is not None for unit in term.units.split("|")), term


def test_compound_value_is_implausible_when_one_component_is_implausible() -> None:
    pressure, unit = code_of("MDC_PRESS_BLD_NONINV"), code_of("MDC_DIM_MMHG")
    parts = tuple(code_of(f"MDC_PRESS_BLD_NONINV_{part}") for part in ("SYS", "DIA", "MEAN"))
    assert not is_implausible(pressure, unit, (120.0, 80.0, 93.0), parts)
    assert is_implausible(pressure, unit, (1200.0, 80.0, 93.0), parts)
    assert not is_implausible(pressure, unit, (Special.NAN, 80.0, 93.0), parts)
    assert not is_implausible(pressure, unit, None, parts)
