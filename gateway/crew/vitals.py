"""How the page shows a measurement: a short label that a crew knows, its place, its decimals, and how long it is fresh.

A table, because these are decisions that a clinician reviews in one look. What is not in it is still shown, under the
nomenclature's own name, after what is. `fresh_s` is not an alarm limit: it says after how many seconds without a new
reading the old one must look old. A cuff measures every few minutes, an oximeter every second.
"""

from typing import NamedTuple

from protocols.ieee11073.nomenclature import Code, code_of, name_of, term_of

FRESH_S = 15.0
"""For what the table does not know: three times the slowest continuous report that we have seen."""
_CUFF_S = 900.0
"""A cuff that runs every fifteen minutes is the slowest programme of a transport monitor."""


class Vital(NamedTuple):
    """One row. `decimals` None: as many as the device sent."""

    type: str
    label: str
    decimals: int | None
    fresh_s: float


VITALS = (
    Vital("MDC_ECG_HEART_RATE",          "HR",           0, 10.0),
    Vital("MDC_PULS_OXIM_SAT_O2",        "SpO₂",         0, 10.0),
    Vital("MDC_PULS_OXIM_PULS_RATE",     "Pulse",        0, 10.0),
    Vital("MDC_PRESS_BLD_NONINV",        "NIBP",         0, _CUFF_S),
    Vital("MDC_AWAY_CO2_ET",             "EtCO₂",        0, 15.0),
    Vital("MDC_CO2_RESP_RATE",           "Resp",         0, 15.0),
    Vital("MDC_RESP_RATE",               "Resp",         0, 15.0),
    Vital("MDC_TTHOR_RESP_RATE",         "Resp",         0, 15.0),
    Vital("MDC_TEMP_BODY",               "Temp",         1, _CUFF_S),
    Vital("MDC_TEMP_TYMP",               "Temp ear",     1, _CUFF_S),
    Vital("MDC_PULS_RATE_NON_INV",       "Pulse cuff",   0, _CUFF_S),
    Vital("X_PRIVATE_06",                "Shock",        0, _CUFF_S),
    Vital("X_PRIVATE_05",                "Shocks",       0, _CUFF_S),
    Vital("X_PRIVATE_08",                "Pads",         0, 15.0),
    Vital("X_PRIVATE_09",                "Impedance",    0, 15.0),
    Vital("X_PRIVATE_01",                "CPR rate",     0, 10.0),
    Vital("X_PRIVATE_02",                "CPR depth",    0, 10.0),
    Vital("X_PRIVATE_10",                "Pacer",        0, 15.0),
    Vital("X_PRIVATE_11",                "Pacer mA",     0, 15.0),
    Vital("X_PRIVATE_12",                "Pacer mode",   0, 15.0),
    Vital("MDC_PULS_OXIM_PERF_REL",      "Perfusion",    1, 10.0),
)  # fmt: skip
"""In the order in which the page shows them."""

_BY_CODE: dict[Code, tuple[int, Vital]] = {code_of(vital.type): (rank, vital) for rank, vital in enumerate(VITALS)}

# Our private codes' bits; bit 0 of a BITS-16 is its most significant one. What is not here is shown as a number.
_STATE_AS_READ = {
    "X_PRIVATE_08": {0x8000: "attached", 0: "not attached"},
    "X_PRIVATE_12": {0x8000: "fixed rate", 0x4000: "demand"},
}

# What a crew reads on every monitor; UCUM's own spelling is for machines.
_UNIT_AS_READ = {"mm[Hg]": "mmHg", "Cel": "°C", "{beat}/min": "/min", "Ohm": "Ω", "[degF]": "°F", "1": ""}


def vital_of(code: Code) -> tuple[int, Vital]:
    """The row for a type and its place; for one that the table lacks, a row made from the nomenclature, placed last."""
    known = _BY_CODE.get(code)
    return known or (len(VITALS), Vital(name_of(code), term_of(code).display, None, FRESH_S))


def state_as_read(code: Code, bits: int) -> str:
    """The word for a state that comes as bits; the bits in hexadecimal where there is none."""
    return _STATE_AS_READ.get(name_of(code), {}).get(bits, f"0x{bits:X}")


def unit_as_read(unit: Code | None) -> str:
    if unit is None:
        return ""
    ucum = term_of(unit).ucum
    return _UNIT_AS_READ.get(ucum, ucum or name_of(unit))
