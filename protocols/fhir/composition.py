"""The patient care report as a Composition: sections that list the resources of the care record.

Observations of devices are not in the sections: they may be in other parts of the bundle, and refer to the encounter.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import orjson

from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleRecord
from protocols.epcr.signing import ReportSigning
from protocols.fhir.care_entries import CareResource
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, meta, reference
from protocols.fhir.encounter import EncounterFacts, organization
from protocols.fhir.ids import ResourceIds
from protocols.fhir.systems import EMPTY_REASON, LOINC
from protocols.observation_record import utc_text

_REPORT = coding(LOINC, "67796-3", "EMS patient care report - version 3 Document NEMSIS")
_TITLE = "Patient care report"
_SECTIONS: Final[Sequence[tuple[str, str, frozenset[str]]]] = (
    ("67667-6", "Times", frozenset({"times"})),
    ("67660-1", "Dispatch", frozenset({"call"})),
    ("67664-3", "Response", frozenset({"crew"})),
    ("67665-0", "Scene", frozenset({"scene"})),
    ("67666-8", "Patient and situation", frozenset({"patient", "situation"})),
    ("67799-7", "Cardiac arrest", frozenset({"arrest"})),
    ("67800-3", "Injury", frozenset({"injury"})),
    ("67842-5", "History", frozenset({"history"})),
    ("67844-1", "Own medicines", frozenset({"own_medicines"})),
    ("8716-3", "Vital signs", frozenset({"vitals"})),
    ("29545-1", "Examination", frozenset({"exam", "lungs", "chest", "abdomen", "spine", "limbs", "eyes"})),
    ("67849-0", "Medications given", frozenset({"medications"})),
    ("29554-3", "Procedures", frozenset({"procedures", "airway", "airway_checks", "devices"})),
    ("67663-5", "Protocols", frozenset({"protocols"})),
    ("67661-9", "Disposition", frozenset({"disposition", "team_alerts"})),
)
"""LOINC code and title of each section, and the groups of the record in it, in the order of the HL7 ambulance
report."""
_OTHER = "Other"
_NARRATIVE = ("67781-5", "Narrative")


@dataclass(frozen=True, slots=True)
class ReportState:
    """The status of a report (composition-status of FHIR): preliminary until it is signed, and for one of which a part
    is missing; final; amended for one to which something was added after it was signed. It does not follow from the
    encounter, which ends before its report is signed. `reason` is a sentence; empty: none is stated."""

    status: Literal["preliminary", "final", "amended"]
    reason: str = ""


PRELIMINARY = ReportState("preliminary")


def report_state(signing: ReportSigning, audience: Audience, *, why_partial: str) -> ReportState:
    """Return the status of a report. `why_partial`: the sentence about a missing part. The reasons of addenda are free
    texts, so partners do not see them."""
    if signing.partial:
        return ReportState("preliminary", why_partial)
    if not signing.signed:
        return PRELIMINARY
    if signing.addenda:
        return ReportState("amended", "" if audience is Audience.PARTNERS else "; ".join(signing.addenda))
    return ReportState("final")


def composition(
    ids: ResourceIds,
    facts: EncounterFacts,
    record: VisibleRecord,
    resources: Sequence[CareResource],
    *,
    patient: str,
    encounter: str,
    narrative: str = "",
    state: ReportState = PRELIMINARY,
) -> Json:
    """Return the entry of the Composition. Its id follows from its content, so each later state of the record is a
    Composition of its own. `narrative`: its text, an XHTML div; empty: it has none."""
    times = [statement.recorded_us for field in record.fields for statement in field.shown]
    body: Json = {
        "meta": meta(record.audience),
        **({"text": {"status": "generated", "div": narrative}} if narrative else {}),
        "status": state.status,
        "type": concept(_REPORT),
        "subject": reference("Patient", patient),
        "encounter": reference("Encounter", encounter),
        "date": utc_text(max([facts.began_us, *times])),
        "author": [organization(facts)],
        "title": _TITLE,
        "section": [*_sections(record, resources), *([_reason(state)] if state.reason else [])] or None,
    }
    id_ = ids.id_of("composition", facts.id, hashlib.sha256(orjson.dumps(body)).hexdigest())
    return entry(id_, {"resourceType": "Composition", "identifier": identifiers(id_)[0], **body})


def _reason(state: ReportState) -> Json:
    """Return the section with the reason why a report is preliminary or amended. One that lacks a part states it by
    code, too, in the place of the missing entries."""
    text = {"status": "additional", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{escape(state.reason)}</div>'}
    if state.status == "amended":
        return {"title": "Addendum", "text": text}
    missing = concept(coding(EMPTY_REASON, "unavailable", "Unavailable"), text=state.reason)
    return {"title": "Missing part of the report", "text": text, "emptyReason": missing}


def _sections(record: VisibleRecord, resources: Sequence[CareResource]) -> list[Json]:
    known = frozenset[str]().union(*(groups for _, _, groups in _SECTIONS))
    sections = []
    for code, title, groups in _SECTIONS:
        found = [one.reference for one in resources if one.group in groups]
        if found:
            sections.append({"title": title, "code": concept(coding(LOINC, code)), "entry": found})
    rest = [one.reference for one in resources if one.group not in known]
    if rest:
        sections.append({"title": _OTHER, "code": concept(text=_OTHER), "entry": rest})
    return sections + _narrative(record)


def _narrative(record: VisibleRecord) -> list[Json]:
    """Return the section of the narrative, which only an identified record has."""
    texts = [
        statement.value
        for field in record.fields
        if record.audience is not Audience.PARTNERS and field.element.key == "narrative.text"
        for statement in field.shown
        if statement.value is not None
    ]
    if not texts:
        return []
    code, title = _NARRATIVE
    paragraphs = "".join(f"<p>{escape(text)}</p>" for text in texts)
    div = f'<div xmlns="http://www.w3.org/1999/xhtml">{paragraphs}</div>'
    return [{"title": title, "code": concept(coding(LOINC, code)), "text": {"status": "additional", "div": div}}]
