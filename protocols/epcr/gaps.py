"""Gaps of a report: what is missing or does not fit together, for the crew while it writes. A gap never blocks
anything.

Each gap has a code, for which the page has a sentence in each language, and the field that closes it. The weight sorts
the list: 100 is a contradiction that two authors must decide, below 40 is what matters to the archive only. The rules
follow NEMSIS 3.5 (ids of its assertions in the comments) and, where noted, what emergency departments want to know
first.

A field that the crew marked as refused, not applicable or not recorded is stated, so it is no gap.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from protocols.epcr.draft import open_conflicts
from protocols.epcr.entries import Entries
from protocols.epcr.record import CareRecord

YES = "9923003"
CARE_PROVIDED = "4228001"
CARE_REFUSED = frozenset(("4228003", "4228007"))
TRANSPORTED = frozenset(("4230001", "4230003"))
TRANSPORT_REFUSED = "4230009"
ARREST = frozenset(("3001003", "3001005"))
INJURY = "9922005"
STROKE_POSITIVE = "3329005"
TWELVE_LEAD = "268400002"
"""SNOMED CT: 12-lead electrocardiogram."""

_TIMES = (
    "call_received",
    "dispatch_notified",
    "unit_notified",
    "en_route",
    "on_scene",
    "at_patient",
    "left_scene",
    "at_destination",
    "transfer_of_care",
    "in_service",
)
"""Times of a mission in their order (nemSch_e017, e019 to e055)."""
_ARREST_FIELDS = ("cause", "resuscitation", "witnessed_by", "time", "first_rhythm", "rosc", "end")
_ARREST_ENDS = frozenset(("arrest.rosc", "arrest.end"))
_MEASURES = ("systolic", "heart_rate", "spo2", "breathing_rate", "etco2", "temperature", "glucose", "gcs_eye", "avpu")


@dataclass(frozen=True, slots=True)
class ReportGap:
    """A gap. `code` names the sentence, `key` and `entry` the field that closes it (`entry` "" without one)."""

    code: str
    weight: int
    key: str
    entry: str = ""


def find_gaps(record: CareRecord) -> list[ReportGap]:
    """Return the gaps of a record, the weightiest first; gaps of one weight are in the order of a report."""
    stated = Entries(record)
    gaps = [ReportGap("two_statements", 100, each.name.key, each.name.entry) for each in open_conflicts(record)]
    for rules in (_patient, _vitals, _medications, _procedures, _arrest, _stroke, _times, _end):
        gaps += rules(stated)
    return sorted(gaps, key=lambda gap: -gap.weight)


def _missing(stated: Entries, weight: int, *keys: str) -> Iterator[ReportGap]:
    return (ReportGap("missing", weight, key) for key in keys if not stated.is_stated(key))


def _is_care_given(stated: Entries) -> bool:
    return stated.value("disposition.care") == CARE_PROVIDED or bool(
        stated.entries("medications") or stated.entries("procedures")
    )


def _is_transported(stated: Entries) -> bool:
    return stated.value("disposition.transport") in TRANSPORTED or stated.is_stated("times.left_scene")


def _patient(stated: Entries) -> Iterator[ReportGap]:
    yield from _missing(stated, 82, "situation.complaint")  # the first question of a hand-over
    yield from _missing(stated, 80, "patient.age", "patient.sex")  # e058 to e060
    yield from _missing(stated, 78, "history.drug_allergies")
    yield from _missing(
        stated, 62, "situation.primary_impression", "situation.acuity", "situation.onset"
    )  # e075 to e084
    yield from _missing(stated, 50, "history.conditions", "situation.possible_injury")
    yield from _missing(stated, 38, "patient.last_name", "patient.first_name", "patient.birth_date")
    if stated.entries("injury") and stated.value("situation.possible_injury") != INJURY:
        yield ReportGap("injury_without_possible_injury", 45, "situation.possible_injury")  # e077, e089 to e092


def _vitals(stated: Entries) -> Iterator[ReportGap]:
    sets = [
        entry
        for entry in stated.entries("vitals")
        if any(stated.is_stated(f"vitals.{name}", entry) for name in _MEASURES)
    ]
    if not sets:
        yield ReportGap("no_vitals", 90, "vitals.time")
    elif len(sets) == 1 and _is_transported(stated):
        yield ReportGap("one_set_of_vitals", 66, "vitals.time")
    for entry in sets:
        if not stated.is_stated("vitals.time", entry):
            yield ReportGap("vitals_without_time", 64, "vitals.time", entry)
    if sets and not any(
        stated.is_stated(key, entry) for entry in sets for key in ("vitals.gcs_eye", "vitals.gcs_sum", "vitals.avpu")
    ):
        yield ReportGap("no_consciousness", 76, "vitals.avpu", sets[-1])


def _medications(stated: Entries) -> Iterator[ReportGap]:
    last_vitals_us = max(
        (at_us for entry in stated.entries("vitals") if (at_us := stated.time_us("vitals.time", entry)) is not None),
        default=None,
    )
    for entry in stated.entries("medications"):
        field = stated.field("medications.drug", entry)
        if field is None:
            yield ReportGap("medication_without_drug", 86, "medications.drug", entry)
            continue
        if field.shown[-1].negative is not None:
            continue  # considered and not given
        if stated.value("medications.before_unit", entry) != YES:  # e146 to e150
            for name, weight in (("dose", 84), ("dose_unit", 84), ("route", 83)):
                if not stated.is_stated(f"medications.{name}", entry):
                    yield ReportGap(f"medication_without_{name}", weight, f"medications.{name}", entry)
        given_us = stated.time_us("medications.time", entry)
        if given_us is None:
            yield ReportGap("medication_without_time", 72, "medications.time", entry)
        elif last_vitals_us is None or last_vitals_us < given_us:
            yield ReportGap("no_vitals_after_medication", 58, "vitals.time")


def _procedures(stated: Entries) -> Iterator[ReportGap]:
    readings = any(stated.is_stated("vitals.rhythm", entry) for entry in stated.entries("vitals"))
    for entry in stated.entries("procedures"):
        if not stated.is_stated("procedures.time", entry):
            yield ReportGap("procedure_without_time", 70, "procedures.time", entry)
        if stated.value("procedures.procedure", entry) == TWELVE_LEAD and not readings:
            yield ReportGap("twelve_lead_without_reading", 74, "vitals.rhythm")


def _arrest(stated: Entries) -> Iterator[ReportGap]:
    present = stated.value("arrest.present")
    keys = [f"arrest.{name}" for name in _ARREST_FIELDS]
    if present in ARREST:  # e085, e093 to e123
        for key in keys:
            weight = 60 if key in _ARREST_ENDS else 68
            yield from _missing(stated, weight, key)
    elif present is not None and any(stated.is_stated(key) for key in keys):
        yield ReportGap("arrest_denied_and_described", 77, "arrest.present")
    elif present is None and any(stated.is_stated(key) for key in keys):
        yield ReportGap("missing", 77, "arrest.present")


def _stroke(stated: Entries) -> Iterator[ReportGap]:
    is_positive = any(
        stated.value("vitals.stroke_result", entry) == STROKE_POSITIVE for entry in stated.entries("vitals")
    )
    if is_positive:  # e085 to e087, e171 to e173
        yield from _missing(stated, 91, "situation.last_known_well")  # it decides about thrombolysis
        yield from _missing(stated, 46, "disposition.hospital_capability")


def _times(stated: Entries) -> Iterator[ReportGap]:
    moments = [(key, at_us) for name in _TIMES if (at_us := stated.time_us(key := f"times.{name}")) is not None]
    for (_, before_us), (key, at_us) in pairwise(moments):
        if at_us < before_us:
            yield ReportGap("time_before_the_one_before", 73, key)
    yield from _missing(stated, 54, "times.at_patient")
    yield from _missing(stated, 42, "times.unit_notified", "times.en_route", "times.on_scene")
    if _is_transported(stated):  # e030, e036
        yield from _missing(stated, 44, "times.left_scene", "times.at_destination", "times.transfer_of_care")


def _end(stated: Entries) -> Iterator[ReportGap]:
    yield from _missing(stated, 40, "disposition.care", "disposition.transport")  # e061 to e064
    if _is_transported(stated):  # e160 to e170
        yield from _missing(stated, 41, "disposition.destination", "disposition.transport_mode")
    refused = stated.value("disposition.care") in CARE_REFUSED or (
        stated.value("disposition.transport") == TRANSPORT_REFUSED
    )
    if refused and not stated.is_stated("disposition.release_reason"):
        yield ReportGap("refusal_without_reason", 87, "disposition.release_reason")
    if refused and not any(stated.is_stated("signatures.status", entry) for entry in stated.entries("signatures")):
        yield ReportGap("refusal_without_signature", 67, "signatures.status")
    if _is_care_given(stated):
        yield from _missing(stated, 36, "disposition.acuity", "disposition.level_of_care")
    yield from _missing(stated, 30, "narrative.text")
