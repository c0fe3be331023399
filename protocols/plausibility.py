"""Bounds of vital signs; a value outside its bounds is physiologically impossible.

An implausible value is kept as it was sent and flagged, never refused: it may come from a loose sensor, a wrong unit or
a typing error, and the reader decides. The bounds are intentionally wider than the extremes that people have survived,
since a value of a patient in extremis must not be flagged. They are not alarm limits. Waveforms, differences, control
solutions and codes without a row in `_ROWS` are not checked.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from protocols.ieee11073.nomenclature import Code, Term, term_of
from protocols.observation import Value
from protocols.ucum import without_annotations

IMPLAUSIBLE_VALUE: Final = "implausible_value"
"""The flag of an observation with a value outside the bounds."""


class Bounds(NamedTuple):
    """Lowest and highest plausible value, both included."""

    low: float
    high: float


_PER_MINUTE: Final = {"/min": 1.0, "/s": 1 / 60, "Hz": 1 / 60}
_PRESSURE: Final = {"mm[Hg]": 1.0, "kPa": 0.133_322, "[psi]": 0.019_337}
_PERCENT: Final = {"%": 1.0, "1": 0.01}
_KILOGRAMS: Final = {"kg": 1.0, "g": 1_000.0, "[lb_av]": 2.204_623}
_CENTIMETRES: Final = {"cm": 1.0, "m": 0.01, "[in_i]": 0.393_701}


class _Row(NamedTuple):
    """Bounds of all codes whose names begin with one of `beginnings`. `units` maps each UCUM unit to the factor that
    converts the bounds to this unit; `bounds` are in the first unit of `units`."""

    beginnings: tuple[str, ...]
    bounds: Bounds
    units: dict[str, float]


_ROWS: Final = (
    # A saturation is a fraction of all haemoglobin.
    _Row(("MDC_PULS_OXIM_SAT_O2", "MDC_SAT_O2"), Bounds(0, 100), _PERCENT),
    # The fastest ventricular rates on record are near 600 per minute, and a pulse counts each beat once.
    _Row(
        (
            "MDC_ECG_HEART_RATE",
            "MDC_ECG_CARD_BEAT_RATE",
            "MDC_PULS_RATE",
            "MDC_PULS_OXIM_PULS_RATE",
            "MDC_PLETH_PULS_RATE",
            "MDC_BLD_PULS_RATE",
            "MDC_TTHOR_HEART_RATE",
            "MDC_PALPATION_HEART_RATE",
        ),
        Bounds(0, 600),
        _PER_MINUTE,
    ),
    # Newborns may breathe at 150 per minute; a high-frequency ventilator reports its own code.
    _Row(
        ("MDC_RESP_RATE", "MDC_AWAY_RESP_RATE", "MDC_TTHOR_RESP_RATE", "MDC_CO2_RESP_RATE"), Bounds(0, 250), _PER_MINUTE
    ),
    # A cuff measures no negative pressure. 480 mmHg was measured during heavy weightlifting.
    _Row(("MDC_PRESS_BLD_NONINV", "MDC_PRESS_CUFF"), Bounds(0, 500), _PRESSURE),
    # An invasive transducer below the heart's level reads negative.
    _Row(("MDC_PRESS_BLD",), Bounds(-100, 500), _PRESSURE),
    # Survived core temperatures are between 11.8 and 46.5 °C; those of a corpse or of heat stroke may be slightly
    # outside.
    _Row(
        (
            "MDC_TEMP_BODY",
            "MDC_TEMP_CORE",
            "MDC_TEMP_RECT",
            "MDC_TEMP_ORAL",
            "MDC_TEMP_EAR",
            "MDC_TEMP_TYMP",
            "MDC_TEMP_AXILLA",
            "MDC_TEMP_ESOPH",
            "MDC_TEMP_NASOPH",
            "MDC_TEMP_FOLEY",
            "MDC_TEMP_GIT",
            "MDC_TEMP_BLD",
            "MDC_TEMP_ART",
            "MDC_TEMP_VEN",
        ),
        Bounds(0, 50),
        {"Cel": 1.0},
    ),
    # Twice the highest partial pressures of severe hypercapnia; 760 mmHg would be pure carbon dioxide.
    _Row(("MDC_AWAY_CO2", "MDC_CONC_AWAY_CO2"), Bounds(0, 300), {**_PRESSURE, "%": 100 / 760}),
    # The highest reported blood glucose is 147 mmol/L.
    _Row(
        (
            "MDC_CONC_GLU_GEN",
            "MDC_CONC_GLU_CAPILLARY",
            "MDC_CONC_GLU_VENOUS",
            "MDC_CONC_GLU_ARTERIAL",
            "MDC_CONC_GLU_UNDETERMINED",
            "MDC_CONC_GLU_ISF",
        ),
        Bounds(0, 3_000),
        {"mg/dL": 1.0, "mmol/L": 1 / 18.016},
    ),
    # From the smallest surviving newborn to the heaviest person on record.
    _Row(("MDC_MASS_BODY_ACTUAL",), Bounds(0.1, 700), _KILOGRAMS),
    _Row(("MDC_LEN_BODY_ACTUAL",), Bounds(10, 280), _CENTIMETRES),
)
_FAHRENHEIT: Final = "[degF]"
# Codes with the prefix of a row that measure something else.
_OTHERS: Final = ("_DIFF", "_QUAL", "_CONSUMP", "_DELIV", "_IRREG_PCT")


@lru_cache(4096)
def bounds_of(ref_id: str, unit: str) -> Bounds | None:
    """Return the bounds of a code in a UCUM unit; None where no row covers the code and the unit. Of several rows the
    one with the longest matching prefix applies."""
    if any(other in ref_id for other in _OTHERS):
        return None
    matches = [(len(one), row) for row in _ROWS for one in row.beginnings if ref_id.startswith(one)]
    if not matches:
        return None
    row = max(matches, key=lambda match: match[0])[1]
    plain = without_annotations(unit)
    if plain == _FAHRENHEIT and "Cel" in row.units:
        return Bounds(row.bounds.low * 1.8 + 32, row.bounds.high * 1.8 + 32)
    factor = row.units.get(plain)
    return None if factor is None else Bounds(row.bounds.low * factor, row.bounds.high * factor)


def is_implausible(type: Code, unit: Code | None, value: Value | None, components: Sequence[Code] = ()) -> bool:
    """Return whether a value, or a component of a compound value, is outside the plausible bounds of
    its type and unit."""
    if isinstance(value, float):
        return _outside(type, unit, value)
    if isinstance(value, tuple):
        pairs = zip(components, value, strict=False)
        return any(isinstance(scalar, float) and _outside(code, unit, scalar) for code, scalar in pairs)
    return False


def _outside(type: Code, unit: Code | None, value: float) -> bool:
    bounds = _bounds_of_codes(type, unit)
    return bounds is not None and not bounds.low <= value <= bounds.high


@lru_cache(4096)
def _bounds_of_codes(type: Code, unit: Code | None) -> Bounds | None:
    known = term_of(type)
    dimension = None if unit is None else term_of(unit)
    if not isinstance(known, Term) or not isinstance(dimension, Term):
        return None
    return bounds_of(known.ref_id, dimension.ucum)
