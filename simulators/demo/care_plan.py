"""Care of the demo's patient as data: assessments, procedures and medications with their times.

The times are seconds since the devices were ready. Every scenario begins with the assessment of a stable patient within
half a minute, so that a demo that was just started has a care record; the others add what their patient needs.
"""

from collections.abc import Mapping
from dataclasses import dataclass

MINUTE = 60.0


@dataclass(frozen=True, slots=True)
class CareEntry:
    """Entry that a crew member writes at `at_s`: a group of the care record, the id of the entry, and its values by the
    names of the elements. An empty `entry`: the group has no entries. `timed`: the entry has the element "time"."""

    at_s: float
    group: str
    entry: str
    values: Mapping[str, str]
    timed: bool = True


_BY_THIS_UNIT = {"before_unit": "9923001"}
_PARAMEDIC = {"role": "9905007"}


def _situation(at_s: float, symptom: str, impression: str, acuity: str) -> tuple[CareEntry, ...]:
    return (
        CareEntry(at_s, "patient", "", {"age": "61", "age_unit": "2516009", "sex": "9919003"}, timed=False),
        CareEntry(
            at_s,
            "situation",
            "",
            {"primary_symptom": symptom, "primary_impression": impression, "acuity": acuity},
            timed=False,
        ),
    )


def _assessment(at_s: float, entry: str, *, gcs: tuple[int, int, int], avpu: str, pain: str) -> CareEntry:
    eye, verbal, motor = gcs
    return CareEntry(
        at_s,
        "vitals",
        entry,
        {
            **_BY_THIS_UNIT,
            "gcs_eye": str(eye),
            "gcs_verbal": str(verbal),
            "gcs_motor": str(motor),
            "gcs_sum": str(sum(gcs)),
            "avpu": avpu,
            "pain": pain,
            "pain_scale": "3328003",
        },
    )


def _procedure(at_s: float, entry: str, snomed: str, *, attempts: str = "1", success: bool = True) -> CareEntry:
    done = "9923003" if success else "9923001"
    values = {"procedure": snomed, "attempts": attempts, "success": done, "response": "9916003"}
    return CareEntry(at_s, "procedures", entry, {**_BY_THIS_UNIT, **_PARAMEDIC, **values})


def _dose(at_s: float, entry: str, drug: str, dose: str, unit: str, route: str, response: str) -> CareEntry:
    values = {"drug": drug, "dose": dose, "dose_unit": unit, "route": route, "response": response}
    given = {**_BY_THIS_UNIT, **_PARAMEDIC, "complications": "3708031", "order": "9918005"}
    return CareEntry(at_s, "medications", entry, {**given, **values})


_MILLIGRAMS, _LITRES_PER_MINUTE = "3706021", "3706035"
_INTRAVENOUS, _ORAL, _MASK, _CANNULA = "9927023", "9927035", "9927031", "9927025"
_BETTER, _UNCHANGED = "9916001", "9916003"

_FIRST_MINUTE = (
    _assessment(4, "first", gcs=(4, 5, 6), avpu="3326001", pain="2"),
    CareEntry(8, "exam", "first", {"skin": "3504021", "mental": "3519007"}, timed=False),
    CareEntry(8, "lungs", "first/both", {"side": "3522005", "findings": "3523007"}, timed=False),
    _procedure(12, "ecg", "268400002"),
    _procedure(18, "access", "392230005"),
)

CARE: Mapping[str, tuple[CareEntry, ...]] = {
    "stable": (
        *_situation(2, "R07.9", "R07.9", "2813005"),
        *_FIRST_MINUTE,
        _dose(22, "oxygen", "7806", "2", _LITRES_PER_MINUTE, _CANNULA, _UNCHANGED),
    ),
    "deteriorating": (
        *_situation(2, "R07.4", "I21.1", "2813003"),
        *_FIRST_MINUTE,
        _dose(22, "aspirin", "1191", "300", _MILLIGRAMS, _ORAL, _UNCHANGED),
        _dose(2 * MINUTE, "morphine", "7052", "4", _MILLIGRAMS, _INTRAVENOUS, _BETTER),
        _dose(260, "oxygen", "7806", "15", _LITRES_PER_MINUTE, _MASK, _BETTER),
        _assessment(6 * MINUTE, "second", gcs=(3, 4, 6), avpu="3326003", pain="4"),
    ),
    "cardiac-arrest": (
        *_situation(2, "R07.4", "I46.9", "2813001"),
        *_FIRST_MINUTE,
        _dose(22, "aspirin", "1191", "300", _MILLIGRAMS, _ORAL, _UNCHANGED),
        _assessment(32, "arrest", gcs=(1, 1, 1), avpu="3326007", pain="0"),
        CareEntry(34, "arrest", "", {"present": "3001005", "first_rhythm": "3011011"}, timed=False),
        _procedure(42, "compressions", "89666000"),
        _procedure(MINUTE, "bag", "425447009"),
        _procedure(100, "shock-1", "426220008", success=False),
        _dose(110, "adrenaline", "317361", "1", _MILLIGRAMS, _INTRAVENOUS, _UNCHANGED),
        _dose(160, "amiodarone", "703", "300", _MILLIGRAMS, _INTRAVENOUS, _UNCHANGED),
        _procedure(225, "shock-2", "426220008"),
        _procedure(6 * MINUTE, "pacing", "18590009"),
        _assessment(9 * MINUTE, "after", gcs=(2, 2, 4), avpu="3326005", pain="0"),
    ),
}
"""The care of each scenario, in the order of time."""
