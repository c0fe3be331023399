"""Shortcuts of the report's form: several entries with one tap, each shown in words before it is entered.

They are what crews enter most often. Every entry of a shortcut is a statement of the crew member who touched it, and
can be changed or undone like any other. Nothing is stated without a touch, and a shortcut never replaces an entry.

The doses are usual single doses of an adult (ERC 2021, ESC 2023 and their national forms); the page hides them for a
child. A service with other standing orders changes the rows.
"""

from typing import Any, NamedTuple

Json = dict[str, Any]

ADULT_FROM_YEARS = 16
"""Age below which the doses are not offered."""


class UsualDose(NamedTuple):
    """One dose that is entered with one tap: RxNorm code, number, NEMSIS codes of unit and route."""

    drug: str
    dose: str
    unit: str
    route: str


_MG, _UG, _L_MIN = "3706021", "3706015", "3706035"
_IV, _ORAL, _SUBLINGUAL, _NEBULISED, _MASK = "9927023", "9927035", "9927047", "9927071", "9927031"
DOSES = (
    UsualDose("1191", "300", _MG, _ORAL),
    UsualDose("4917", "0.4", _MG, _SUBLINGUAL),
    UsualDose("7806", "15", _L_MIN, _MASK),
    UsualDose("435", "2.5", _MG, _NEBULISED),
    UsualDose("7052", "5", _MG, _IV),
    UsualDose("4337", "50", _UG, _IV),
    UsualDose("161", "1000", _MG, _IV),
    UsualDose("26225", "4", _MG, _IV),
)
ACTS = ("392231009", "268400002", "46825001", "33747003", "89666000", "426220008", "425447009", "20655006")
"""Procedures that are entered with one tap, the most frequent first."""


class EntryGroup(NamedTuple):
    """Entries that belong together. `section`: the page that offers it. `group`: the repeated group in which they are a
    new entry, "" for single fields. `values` and `negatives`: the contents by element."""

    name: str
    section: str
    group: str
    values: dict[str, str]
    negatives: dict[str, str] = {}  # noqa: RUF012  a row of a table, never changed


_CARE_GIVEN, _THIS_CREW, _ADVANCED = "4228001", "4230001", "4232005"
_END = {
    "disposition.care": _CARE_GIVEN,
    "disposition.transport": _THIS_CREW,
    "disposition.level_of_care": _ADVANCED,
}
GROUPS = (
    EntryGroup(
        "nothing_known",
        "history",
        "",
        {},
        {"history.drug_allergies": "no_known_drug_allergy", "history.conditions": "none_reported"},
    ),
    EntryGroup(
        "unremarkable",
        "assessment",
        "vitals",
        {
            "vitals.avpu": "3326001",
            "vitals.gcs_eye": "4",
            "vitals.gcs_verbal": "5",
            "vitals.gcs_motor": "6",
            "vitals.breathing_effort": "3315007",
            "vitals.pulse_rhythm": "3313003",
        },
    ),
    EntryGroup("normal_drive", "disposition", "", {**_END, "disposition.transport_mode": "4217005"}),
    EntryGroup("emergency_drive", "disposition", "", {**_END, "disposition.transport_mode": "4217001"}),
)
SUGGESTED = frozenset(("disposition.level_of_care",))
"""Contents of groups that are taken from the vehicle's last report, where there is one (`gateway.epcr.suggestions`).
They follow from the crew and its vehicle, not from the patient."""

QUICK = {
    "history.drug_allergies": ("no_known_drug_allergy",),
    "history.conditions": ("none_reported",),
}
"""Pertinent negatives that are offered beside the choices, since they are the most frequent."""
AGO_MIN = {
    "situation.onset": (15, 30, 60, 180, 720),
    "situation.last_known_well": (30, 60, 180, 270, 720),
}
"""Times that a patient states as "about an hour ago", in minutes. They are entered as approximate. 270 min is the limit
of thrombolysis (ESO 2021)."""


def shortcuts_form() -> Json:
    """Return the shortcuts for the page."""
    return {
        "adult_from_years": ADULT_FROM_YEARS,
        "doses": [each._asdict() for each in DOSES],
        "acts": ACTS,
        "groups": [each._asdict() for each in GROUPS],
        "suggested": sorted(SUGGESTED),
    }
