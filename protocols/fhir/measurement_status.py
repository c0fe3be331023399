"""Measurement-Status of IEEE 11073-20601 in FHIR."""

from dataclasses import dataclass
from functools import lru_cache

from protocols.fhir.datatypes import Json, coding, concept
from protocols.fhir.systems import MEASUREMENT_STATUS
from protocols.observation import Special

_INVALID, _QUESTIONABLE, _NOT_AVAILABLE, _CALIBRATION = 0x8000, 0x4000, 0x2000, 0x1000
_TEST, _DEMO, _VALIDATED, _EARLY, _ONGOING, _ALARM, _INHIBITED = 0x0800, 0x0400, 0x0080, 0x0040, 0x0020, 0x0002, 0x0001

_INTERPRETATIONS = (
    (_QUESTIONABLE, "questionable"),
    (_CALIBRATION, "calibration-ongoing"),
    (_VALIDATED, "validated-data"),
    (_EARLY, "early-indication"),
    (_ALARM, "in-alarm"),
    (_INHIBITED, "alarm-inhibited"),
)
# A value that the device calls invalid, missing or unfinished is not passed on, so that no program uses it.
_ABSENT = ((_INVALID, "error"), (_NOT_AVAILABLE, "not-performed"), (_ONGOING, "temp-unknown"))

SPECIAL_REASONS = {
    Special.NAN: "not-a-number",
    Special.PLUS_INFINITY: "positive-infinity",
    Special.MINUS_INFINITY: "negative-infinity",
    Special.NRES: "error",
}
"""Reason for an absent value, for each special value of a FLOAT."""


@dataclass(frozen=True, slots=True)
class StatusInFhir:
    """Meaning of the bits of a Measurement-Status. `absent` is the reason why the value is left out, empty: it is
    not."""

    status: str
    interpretation: tuple[Json, ...]
    absent: str
    test_data: bool


@lru_cache(256)
def status_in_fhir(bits: int) -> StatusInFhir:
    """Return the meaning of these bits. Of two statuses, the one that warns more is stated."""
    status = "entered-in-error" if bits & _INVALID else "preliminary" if bits & _EARLY else "final"
    meanings = tuple(concept(coding(MEASUREMENT_STATUS, name)) for bit, name in _INTERPRETATIONS if bits & bit)
    absent = next((reason for bit, reason in _ABSENT if bits & bit), "")
    return StatusInFhir(status, meanings, absent, bool(bits & (_TEST | _DEMO)))
