"""The patient care report as a Composition: sections that list the resources of the care record.

Observations of devices are not in the sections: they may be in other parts of the bundle, and refer to the encounter.
"""

import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from types import MappingProxyType
from typing import Final

import orjson

from protocols.epcr.element import Audience
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.projection import VisibleRecord
from protocols.fhir.care_entries import CareResource
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, meta, moment, reference
from protocols.fhir.encounter import EncounterFacts, organization
from protocols.fhir.ids import ResourceIds
from protocols.fhir.systems import LOINC

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
_STATUSES: Final[Mapping[EncounterStatus, str]] = MappingProxyType({EncounterStatus.IN_PROGRESS: "preliminary"})


def composition(
    ids: ResourceIds,
    facts: EncounterFacts,
    record: VisibleRecord,
    resources: Sequence[CareResource],
    *,
    patient: str,
    encounter: str,
    narrative: str = "",
) -> Json:
    """Return the entry of the Composition. Its id follows from its content, so each later state of the record is a
    Composition of its own. `narrative`: its text, an XHTML div; empty: it has none."""
    times = [statement.recorded_us for field in record.fields for statement in field.shown]
    body: Json = {
        "meta": meta(record.audience),
        **({"text": {"status": "generated", "div": narrative}} if narrative else {}),
        "status": _STATUSES.get(facts.status, "final"),
        "type": concept(_REPORT),
        "subject": reference("Patient", patient),
        "encounter": reference("Encounter", encounter),
        "date": moment(max([facts.began_us, *times])),
        "author": [organization(facts)],
        "title": _TITLE,
        "section": _sections(record, resources) or None,
    }
    id_ = ids.id_of("composition", facts.id, hashlib.sha256(orjson.dumps(body)).hexdigest())
    return entry(id_, {"resourceType": "Composition", "identifier": identifiers(id_)[0], **body})


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
