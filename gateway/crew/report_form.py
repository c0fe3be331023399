"""The form of a report on the tablet: its sections, the elements of each, and the choices that are offered as buttons.

The catalogue has 264 elements; the form has those that a crew enters. Dispatch, devices and the gateway fill in others.
The codes of long lists (drugs, procedures, diagnoses) are a choice of what crews use; a service that needs others adds
them here, with a text in each language. Kinds, limits, units, pertinent negatives and reasons come from the catalogue,
so that the page accepts exactly what the gateway stores.
"""

from functools import cache
from typing import Any, NamedTuple

from gateway.crew.report_body import FINDINGS, body_form
from gateway.crew.report_shortcuts import AGO_MIN, QUICK, shortcuts_form
from protocols.epcr.catalogue import find_element, find_group
from protocols.epcr.element import Element
from protocols.epcr.value_sets import Decimal, OneOf, Text, Whole

Json = dict[str, Any]

BUTTONS_MAX = 8
"""A list of up to so many choices is shown as buttons; a longer one has a search (reference epcr §6, check 11)."""


class Section(NamedTuple):
    """One page of the form. `group`: the repeated group whose entries it lists; "" for a page of single fields."""

    name: str
    keys: tuple[str, ...]
    group: str = ""


SECTIONS = (
    Section(
        "times",
        (
            "times.unit_notified", "times.en_route", "times.on_scene", "times.at_patient", "times.left_scene",
            "times.at_destination", "times.transfer_of_care", "times.in_service", "times.cancelled",
        ),
    ),
    Section(
        "patient",
        (
            "patient.age", "patient.age_unit", "patient.sex", "patient.last_name", "patient.first_name",
            "patient.birth_date", "patient.national_number", "patient.phone",
        ),
    ),
    Section(
        "situation",
        (
            "situation.complaint", "situation.onset", "situation.acuity", "situation.possible_injury",
            "situation.primary_symptom", "situation.primary_impression", "situation.last_known_well",
        ),
    ),
    Section(
        "history",
        ("history.drug_allergies", "history.conditions", "history.pregnancy", "history.last_intake"),
    ),
    Section(
        "vitals",
        (
            "vitals.time", "vitals.systolic", "vitals.diastolic", "vitals.heart_rate", "vitals.spo2",
            "vitals.breathing_rate", "vitals.etco2", "vitals.temperature", "vitals.glucose", "vitals.rhythm",
        ),
        "vitals",
    ),
    Section(
        "assessment",
        (
            "vitals.time", "exam.neck", "vitals.breathing_effort", "lungs.findings", "vitals.pulse_rhythm", "exam.skin",
            "vitals.avpu", "vitals.gcs_eye", "vitals.gcs_verbal", "vitals.gcs_motor", "eyes.findings", "vitals.pain",
            "exam.neurological", "vitals.stroke_result", "vitals.stroke_scale",
        ),
        "vitals",
    ),
    Section("trauma", tuple(FINDINGS)),
    Section(
        "medications",
        (
            "medications.drug", "medications.dose", "medications.dose_unit", "medications.route", "medications.time",
            "medications.before_unit", "medications.response",
        ),
        "medications",
    ),
    Section(
        "procedures",
        (
            "procedures.procedure", "procedures.time", "procedures.success", "procedures.attempts",
            "procedures.size", "procedures.before_unit", "procedures.response",
        ),
        "procedures",
    ),
    Section(
        "arrest",
        (
            "arrest.present", "arrest.time", "arrest.witnessed_by", "arrest.cause", "arrest.first_rhythm",
            "arrest.resuscitation", "arrest.rosc", "arrest.end", "arrest.stopped_at", "arrest.stopped_why",
        ),
    ),
    Section(
        "disposition",
        (
            "disposition.care", "disposition.transport", "disposition.transport_mode", "disposition.destination",
            "disposition.acuity", "disposition.level_of_care", "disposition.release_reason", "scene.patients",
        ),
    ),
    Section("narrative", ("narrative.text",)),
    Section(
        "signatures",
        (
            "signatures.signer", "signatures.reason", "signatures.status", "signatures.last_name",
            "signatures.first_name", "signatures.time",
        ),
        "signatures",
    ),
)  # fmt: skip

HEADINGS = {
    "exam.neck": "airway",
    "vitals.breathing_effort": "breathing",
    "vitals.pulse_rhythm": "circulation",
    "vitals.avpu": "disability",
    "exam.neurological": "stroke",
}
"""Headings of an assessment in the order ABCDE, by the element that follows. The fields of the examination are in the
entry of the same id as the vital signs, which has the time of both."""
SITES = {
    "lungs.findings": (("lungs.side", "3522003"), ("lungs.side", "3522001")),
    "eyes.findings": (("eyes.side", "3517005"), ("eyes.side", "3517003")),
}
"""Sides of a finding, each of them an entry of its own: element and code, the right side first as it is read."""

_YES_NO = ("9923001", "9923003")
_ACUITY = ("2813001", "2813003", "2813005", "2813009", "2813007")
_RESPONSE = ("9916001", "9916003", "9916005")
_DIAGNOSES = (
    "R07.4", "I20.0", "I21.9", "I50.9", "I48.9", "I46.9", "I10", "R55", "I63.9", "I61.9", "G45.9", "G40.9", "R56.8",
    "R51", "R42", "J45.9", "J44.1", "J18.9", "R06.0", "T17.9", "T78.2", "E16.2", "R73.9", "E11.9", "R10.4", "K92.2",
    "N23", "A41.9", "R50.9", "R40.2", "F10.0", "T50.9", "T58", "F41.0", "S06.0", "S09.9", "S22.3", "S72.0", "S82.8",
    "S52.5", "T07", "T30.0", "O80", "O20.9", "R11", "R54",
)  # fmt: skip
_DRUGS = (
    "3992", "703", "1191", "4917", "7052", "4337", "6130", "6960", "7242", "435", "7213", "1223", "296", "6387", "4850",
    "7806", "26225", "4603", "5224", "10691", "6585", "36676", "161", "3322", "6470", "5492", "3264", "6918", "4832",
    "9863", "8782", "68139", "10154",
)  # fmt: skip
_PROCEDURES = (
    "268400002", "46825001", "392231009", "430824005", "89666000", "426220008", "250980009", "18590009", "112798008",
    "424979004", "7443007", "182692007", "425447009", "47545007", "230040009", "33747003", "3895009", "20655006",
    "398041008", "79321009",
)  # fmt: skip
CHOICES: dict[str, tuple[str, ...]] = {
    "patient.age_unit": ("2516009", "2516007", "2516001", "2516003"),
    "patient.sex": ("9919001", "9919003", "9919005"),
    "situation.acuity": _ACUITY,
    "situation.possible_injury": ("9922005", "9922001", "9922003"),
    "situation.primary_symptom": _DIAGNOSES,
    "situation.primary_impression": _DIAGNOSES,
    "history.drug_allergies": ("7980", "723", "10180", "2670", "7052", "1191", "5640", "6387"),
    "history.conditions": (
        "I10", "I25.1", "I48.9", "I50.9", "I63.9", "E11.9", "E10.9", "J45.9", "J44.9", "G40.9", "C80.9", "N18.9", "F03",
    ),
    "history.pregnancy": ("3118001", "3118003", "3118009", "3118005", "3118007", "3118011"),
    "vitals.rhythm": (
        "9901047", "9901049", "9901045", "9901007", "9901009", "9901059", "9901067", "9901071", "9901069", "9901003",
        "9901035", "9901033", "9901015", "9901017", "9901053", "9901051",
    ),
    **FINDINGS,
    "exam.skin": ("3504021", "3504025", "3504001", "3504007", "3504005", "3504003", "3504013", "3504019"),
    "exam.neurological": ("3520039", "3520041", "3520051", "3520053", "3520029", "3520003", "3520027"),
    "lungs.findings": ("3523007", "3523003", "3523001", "3523021", "3523023", "3523029", "3523027"),
    "eyes.findings": ("3518051", "3518053", "3518037", "3518061", "3518063"),
    "vitals.avpu": ("3326001", "3326003", "3326005", "3326007"),
    "vitals.stroke_result": ("3329001", "3329003", "3329005"),
    "vitals.stroke_scale": ("3330013", "3330029", "3330001", "3330009"),
    "vitals.breathing_effort": ("3315007", "3315009", "3315003", "3315011", "3315013", "3315005", "3315001"),
    "vitals.pulse_rhythm": ("3313003", "3313005", "3313001"),
    "medications.drug": _DRUGS,
    "medications.dose_unit": ("3706021", "3706015", "3706001", "3706025", "3706035", "3706049", "3706043"),
    "medications.route": (
        "9927023", "9927021", "9927017", "9927015", "9927071", "9927009", "9927035", "9927047", "9927045", "9927043",
        "9927031", "9927025",
    ),
    "medications.before_unit": _YES_NO,
    "medications.response": _RESPONSE,
    "procedures.procedure": _PROCEDURES,
    "procedures.success": _YES_NO,
    "procedures.before_unit": _YES_NO,
    "procedures.response": _RESPONSE,
    "arrest.present": ("3001001", "3001003", "3001005"),
    "arrest.witnessed_by": ("3004001", "3004003", "3004007", "3004005"),
    "arrest.cause": ("3002001", "3002013", "3002015", "3002005", "3002003", "3002009", "3002007", "3002011"),
    "arrest.first_rhythm": ("3011011", "3011013", "3011005", "3011001", "3011009", "3011007"),
    "arrest.resuscitation": ("3003005", "3003003", "3003001", "3003007", "3003009", "3003011"),
    "arrest.rosc": ("3012001", "3012005", "3012003", "3012007"),
    "arrest.end": ("3018007", "3018003", "3018005", "3018011", "3018009", "3018001"),
    "arrest.stopped_why": ("3016011", "3016009", "3016005", "3016001", "3016003", "3016007"),
    "disposition.care": ("4228001", "4228003", "4228005", "4228007"),
    "disposition.transport": ("4230001", "4230003", "4230005", "4230009", "4230013"),
    "disposition.transport_mode": ("4217001", "4217005", "4217003", "4217007"),
    "disposition.acuity": ("4219001", "4219003", "4219005", "4219011", "4219009"),
    "disposition.level_of_care": ("4232001", "4232005", "4232009", "4232013"),
    "disposition.release_reason": ("4231001", "4231005", "4231009", "4231015"),
    "signatures.signer": ("4512015", "4512005", "4512017", "4512019"),
    "signatures.reason": ("4513007", "4513009", "4513021", "4513003"),
    "signatures.status": ("4515031", "4515019", "4515023", "4515013", "4515015", "4515017"),
    "scene.patients": ("2707005", "2707001", "2707003"),
}  # fmt: skip
"""Offered choices by element, the most frequent first."""

STEPS = {
    "vitals.systolic": 5, "vitals.diastolic": 5, "vitals.heart_rate": 5, "vitals.spo2": 1, "vitals.breathing_rate": 2,
    "vitals.etco2": 1, "vitals.temperature": 0.1, "vitals.glucose": 10, "patient.age": 1, "vitals.pain": 1,
    "medications.dose": 0.5, "procedures.attempts": 1,
}  # fmt: skip
"""Step of the buttons beside a number."""
CRITICAL = frozenset(("medications.drug", "medications.dose", "medications.route", "arrest.present"))
"""Fields with targets of 64 px: an error in them harms (check 13)."""


@cache
def form_model() -> Json:
    """Return the form for the page. Texts are not part of it: the page has those of its language."""
    keys = dict.fromkeys(key for section in SECTIONS for key in section.keys)
    return {
        "buttons_max": BUTTONS_MAX,
        "sections": [{"name": each.name, "keys": each.keys, "group": each.group} for each in SECTIONS],
        "elements": {key: _element_form(key) for key in keys},
        "shortcuts": shortcuts_form(),
        "headings": HEADINGS,
        "body": body_form(),
    }


def _element_form(key: str) -> Json:
    element = find_element(key)
    assert element is not None, key
    group = find_group(element.group)
    assert group is not None, key
    values = element.values
    form: Json = {
        "kind": _kind(element),
        "many": element.many,
        "critical": key in CRITICAL,
        "instead": sorted(element.instead),
        "with_value": sorted(element.with_value),
        "reasons": sorted(element.usage.reasons),
        "quick": QUICK.get(key, ()),
        "ago_min": AGO_MIN.get(key, ()),
        "group": element.group if group.repeated else "",
        "sites": SITES.get(key, ()),
    }
    if isinstance(values, OneOf):
        form["choices"] = values.codes
    elif key in CHOICES:
        form["choices"] = CHOICES[key]
    if isinstance(values, Whole | Decimal):
        places = values.places if isinstance(values, Decimal) else 0
        step = STEPS.get(key, 1)
        form |= {"least": values.least, "most": values.most, "places": places, "unit": values.unit, "step": step}
    if isinstance(values, Text):
        form["length_max"] = values.length_max
    return form


def _kind(element: Element) -> str:
    kind = element.values.kind
    return "number" if kind in ("whole", "decimal") else kind
