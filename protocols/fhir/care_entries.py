"""The care record in FHIR: medications, procedures, and an observation for each other element.

An entry of the groups `medications` and `procedures` is one resource, and what FHIR has no member for is an observation
that is part of it. So every element of the visible record is in the bundle, whether FHIR has a place for it or not. The
code of an observation is the key of the element, with its LOINC code where there is one.

Resources of the record have two identifiers: that by which they are created, which changes with their content, and that
of the entry, which does not. So a corrected or void entry is created beside the earlier one, and a receiver finds both.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import orjson

from protocols.epcr.catalogue import find_group
from protocols.epcr.element import Audience, Element
from protocols.epcr.projection import VisibleField, VisibleRecord, VisibleStatement
from protocols.epcr.units import AGE_UNITS, canonical_number
from protocols.fhir.care_values import (
    coded,
    dose_quantity,
    missing_concept,
    negative_concept,
    observation_value,
)
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, meta, quantity, reference
from protocols.fhir.ids import ResourceIds
from protocols.fhir.signatures import signature_document
from protocols.fhir.systems import ELEMENT, ENTRY, LOINC, OBSERVATION_CATEGORY, VITAL_SIGN_PROFILE
from protocols.fhir.targets import OBSERVATION, target_of
from protocols.observation_record import utc_text

MEDICATIONS, PROCEDURES = "medications", "procedures"
_PANEL: Final = ("vitals.systolic", "vitals.diastolic", "vitals.mean_pressure")
_PANEL_CODE = coding(LOINC, "85354-9", "Blood pressure panel with all children optional")
_GCS_AND_VITALS = "vitals"
_METHOD, _BODY_SITE = "method", "bodySite"
_MODIFIERS: Final[Mapping[str, tuple[str, frozenset[str]]]] = MappingProxyType(
    {
        "vitals.pressure_method": (_METHOD, frozenset(_PANEL)),
        "vitals.heart_rate_method": (_METHOD, frozenset({"vitals.heart_rate"})),
        "vitals.temperature_site": (_BODY_SITE, frozenset({"vitals.temperature"})),
        "vitals.pain_scale": (_METHOD, frozenset({"vitals.pain"})),
        "vitals.ecg_type": (_METHOD, frozenset({"vitals.rhythm"})),
        "lungs.side": (_BODY_SITE, frozenset({"lungs.findings"})),
        "chest.site": (_BODY_SITE, frozenset({"chest.findings"})),
        "abdomen.site": (_BODY_SITE, frozenset({"abdomen.findings"})),
        "spine.site": (_BODY_SITE, frozenset({"spine.findings"})),
        "limbs.site": (_BODY_SITE, frozenset({"limbs.findings"})),
        "eyes.side": (_BODY_SITE, frozenset({"eyes.findings"})),
    }
)
"""Elements that describe other observations of their entry: the member of an Observation, and the elements
described."""
ELSEWHERE: Final = frozenset({"patient.sex", "patient.age_unit"})
"""Elements that other resources state: the Patient, and the observation of the age."""
IDENTITY: Final = frozenset({"patient", "narrative"})
"""Groups of which the free texts are in the Patient and in the Composition."""
_TIME = "time"


@dataclass(frozen=True, slots=True)
class CareResource:
    """A resource of the care record: its group, the reference to it, and its entry."""

    group: str
    reference: Json
    entry: Json


@dataclass(frozen=True, slots=True)
class _Group:
    """One entry of a group: its fields by name."""

    name: str
    entry: str
    fields: Mapping[str, VisibleField]

    @property
    def is_void(self) -> bool:
        return any(field.void for field in self.fields.values())

    def value(self, name: str) -> str | None:
        """Return the value of a field with one statement; None where there is none."""
        field = self.fields.get(name)
        return None if field is None else field.shown[0].value

    @property
    def time(self) -> str | None:
        """The time of the entry; None in a group without entries, whose element "time" is a fact of its own."""
        group = find_group(self.name)
        return self.value(_TIME) if group is not None and group.repeated else None

    @property
    def recorded_us(self) -> int:
        return max(statement.recorded_us for field in self.fields.values() for statement in field.shown)


class CareEntries:
    """Makes the entries of one care record."""

    def __init__(
        self, ids: ResourceIds, audience: Audience, *, encounter_id: str, patient: str, encounter: str
    ) -> None:
        self._ids = ids
        self._audience = audience
        self._encounter_id = encounter_id
        self._subject, self._encounter = reference("Patient", patient), reference("Encounter", encounter)

    def resources(self, record: VisibleRecord) -> Iterator[CareResource]:
        """Yield the resources of a record, in its order."""
        for group in _groups(record):
            match group.name:
                case "medications":
                    yield from self._with_parts(group, self._medication(group), _MEDICATION_MEMBERS)
                case "procedures":
                    yield from self._with_parts(group, self._procedure(group), _PROCEDURE_MEMBERS)
                case "signatures" if group.entry in record.drawn:
                    stated = list(self._observations(group, group.fields.values()))
                    yield from stated
                    yield self._made(group, "drawn", self._signature(group, record.drawn[group.entry], stated))
                case _:
                    yield from self._observations(group, group.fields.values())

    def _with_parts(self, group: _Group, resource: Json, members: frozenset[str]) -> Iterator[CareResource]:
        made = self._made(group, "", resource)
        yield made
        if "dosage" not in resource:
            members = members - {"route", "dose_unit"}  # a dosage needs a dose
        rest = [field for name, field in group.fields.items() if name not in members or not _is_plain(name, field)]
        yield from self._observations(group, rest, part_of=made.reference)

    def _medication(self, group: _Group) -> Json:
        drug = group.fields.get("drug")
        statement = None if drug is None else drug.shown[0]
        not_given = statement is not None and statement.negative is not None
        return {
            "resourceType": "MedicationAdministration",
            "status": "entered-in-error" if group.is_void else "not-done" if not_given else "completed",
            "statusReason": _not_done(statement),
            "medicationCodeableConcept": _what(drug),
            "subject": self._subject,
            "context": self._encounter,
            **_when(group, "effective"),
            **_dosage(group),
        }

    def _procedure(self, group: _Group) -> Json:
        procedure = group.fields.get("procedure")
        statement = None if procedure is None else procedure.shown[0]
        not_done = statement is not None and statement.negative is not None
        return {
            "resourceType": "Procedure",
            "status": "entered-in-error" if group.is_void else "not-done" if not_done else "completed",
            "statusReason": _first(_not_done(statement)),
            "code": _what(procedure),
            "subject": self._subject,
            "encounter": self._encounter,
            **_when(group, "performed"),
            "bodySite": _concepts(group.fields.get("access_site")),
            "outcome": _first(_concepts(group.fields.get("response"))),
            "complication": _concepts(group.fields.get("complications")),
            "usedCode": _concepts(group.fields.get("technique")),
        }

    def _signature(self, group: _Group, path: str, stated: Sequence[CareResource]) -> Json:
        return signature_document(
            path,
            name=" ".join(filter(None, (group.value("first_name"), group.value("last_name")))),
            drawn_at=group.time or utc_text(group.recorded_us),
            void=group.is_void,
            subject=self._subject,
            encounter=self._encounter,
            related=[one.reference for one in stated],
        )

    def _observations(
        self, group: _Group, fields: Iterable[VisibleField], *, part_of: Json | None = None
    ) -> Iterator[CareResource]:
        fields = list(fields)
        describing = _describing(fields)
        panel = [field for field in fields if field.element.key in _PANEL]
        if panel:
            yield self._made(group, "pressure", self._pressure(group, panel, describing))
        for field in fields:
            element = field.element
            if field in panel or element.key in ELSEWHERE or field in describing.values():
                continue
            if element.key == f"{group.name}.{_TIME}" and group.time is not None and len(group.fields) > 1:
                continue  # the time of the other resources of the entry
            if element.group in IDENTITY and element.values.kind in ("text", "date"):
                continue
            for number, statement in enumerate((*field.shown, *field.contradicting)):
                contradicting = number >= len(field.shown)
                resource = self._observation(group, field, statement, contradicting, part_of)
                resource.update(_modifiers(element, describing))
                yield self._made(group, f"{element.key}/{number}", resource)

    def _observation(
        self, group: _Group, field: VisibleField, statement: VisibleStatement, contradicting: bool, part_of: Json | None
    ) -> Json:
        element, target = field.element, target_of(field.element)
        loinc = [coding(LOINC, target.loinc)] if target.resource == OBSERVATION and target.loinc else []
        value = observation_value(element, statement)
        if element.key == "patient.age" and statement.value is not None:
            value = _age(group, statement, value)
        return {
            "resourceType": OBSERVATION,
            "partOf": None if part_of is None else [part_of],
            "status": "entered-in-error" if field.void else "preliminary" if contradicting else "final",
            "category": _category(element),
            "code": concept(*loinc, _element_coding(element)),
            "subject": self._subject,
            "encounter": self._encounter,
            "effectiveDateTime": _observed(group, statement),
            **value,
        }

    def _pressure(self, group: _Group, fields: Sequence[VisibleField], describing: Mapping[str, VisibleField]) -> Json:
        """Return the panel of a blood pressure with its parts as components."""
        components = [
            {
                "code": concept(coding(LOINC, target_of(field.element).loinc), _element_coding(field.element)),
                **observation_value(field.element, field.shown[0]),
            }
            for field in fields
        ]
        # A pressure by palpation is a word, and the profile needs numbers, or a reason why there is none.
        stated = {
            field.element.key
            for field, component in zip(fields, components, strict=True)
            if not component.keys().isdisjoint(("valueQuantity", "dataAbsentReason"))
        }
        complete = stated.issuperset(_PANEL[:2])
        return {
            "meta": meta(self._audience, *([f"{VITAL_SIGN_PROFILE}bp"] if complete else [])),
            "resourceType": OBSERVATION,
            "status": "entered-in-error" if group.is_void else "final",
            "category": [concept(coding(OBSERVATION_CATEGORY, "vital-signs"))],
            "code": concept(_PANEL_CODE),
            "subject": self._subject,
            "encounter": self._encounter,
            "effectiveDateTime": _observed(group, fields[0].shown[0]),
            "component": components,
            **_modifiers(fields[0].element, describing),
        }

    def _made(self, group: _Group, name: str, resource: Json) -> CareResource:
        """Return the resource with its identifiers."""
        body = {"meta": meta(self._audience), **resource}
        content = orjson.dumps({name: value for name, value in body.items() if value is not None})
        place = (self._encounter_id, group.name, group.entry, name)
        id_ = self._ids.id_of("care", *place, hashlib.sha256(content).hexdigest())
        same = {"system": ENTRY, "value": self._ids.id_of("care entry", *place)}
        kept = {"resourceType": body.pop("resourceType"), "meta": body.pop("meta"), "identifier": None}
        referring = reference(kept["resourceType"], id_)
        return CareResource(group.name, referring, entry(id_, {**kept, "identifier": identifiers(id_, same), **body}))


_MEDICATION_MEMBERS = frozenset({_TIME, "drug", "route", "dose", "dose_unit"})
_ACTS = frozenset({"drug", "procedure"})
"""Elements whose negative or missing value the resource states too."""
_PROCEDURE_MEMBERS = frozenset({_TIME, "procedure", "complications", "response", "access_site", "technique"})


def _is_plain(name: str, field: VisibleField) -> bool:
    """Return whether a member of the resource states all of a field."""
    stated = name in _ACTS or all(each.value is not None and each.negative is None for each in field.shown)
    return stated and not field.contradicting


def _groups(record: VisibleRecord) -> list[_Group]:
    """Return the entries of the record, in the order of their first fields."""
    found: dict[tuple[str, str], dict[str, VisibleField]] = {}
    for field in record.fields:
        name = field.element.key.partition(".")[2]
        found.setdefault((field.element.group, field.entry), {})[name] = field
    return [_Group(name, entry_, fields) for (name, entry_), fields in found.items()]


def _describing(fields: Sequence[VisibleField]) -> dict[str, VisibleField]:
    """Return, for the keys of elements, the field that describes them. A description without anything to describe is an
    observation of its own."""
    keys = {field.element.key for field in fields}
    found = {}
    for field in fields:
        _, described = _MODIFIERS.get(field.element.key, ("", frozenset()))
        if field.shown[0].value is not None:
            found.update(dict.fromkeys(described & keys, field))
    return found


def _modifiers(element: Element, describing: Mapping[str, VisibleField]) -> Json:
    field = describing.get(element.key)
    if field is None:
        return {}
    member, _ = _MODIFIERS[field.element.key]
    assert field.shown[0].value is not None, "a description has a value"
    return {member: coded(field.element, field.shown[0].value)}


def _element_coding(element: Element) -> Json:
    return coding(ELEMENT, element.key, element.english)


def _category(element: Element) -> list[Json] | None:
    if element.group == _GCS_AND_VITALS:
        return [concept(coding(OBSERVATION_CATEGORY, "vital-signs"))]
    return [concept(coding(OBSERVATION_CATEGORY, "exam"))] if element.group in _EXAM_GROUPS else None


_EXAM_GROUPS = frozenset({"exam", "lungs", "chest", "abdomen", "spine", "limbs", "eyes"})


def _age(group: _Group, statement: VisibleStatement, value: Json) -> Json:
    """Return the age with its unit. An age of 90 and more is "90 or over" (contract A-097, S-153)."""
    assert statement.value is not None, "the caller has checked it"
    found = quantity(canonical_number(statement.value), AGE_UNITS.get(group.value("age_unit") or "", "a"))
    if statement.or_more:
        note = [{"text": f"{statement.value} or over"}]
        return {**value, "valueQuantity": {**found, "comparator": ">="}, "note": note}
    return {**value, "valueQuantity": found}


def _observed(group: _Group, statement: VisibleStatement) -> str:
    """Return the time of an entry, or else the time at which the statement was stored."""
    return group.time or utc_text(statement.recorded_us)


def _when(group: _Group, name: str) -> Json:
    """Return the time of an act. Where it is not recorded, the act was done before it was stored."""
    if (time := group.time) is not None:
        return {f"{name}DateTime": time}
    return {f"{name}Period": {"end": utc_text(group.recorded_us)}}


def _what(field: VisibleField | None) -> Json:
    """Return the drug, or the procedure. FHIR requires it, so its absence is stated."""
    if field is None:
        return missing_concept(None)
    statement = field.shown[0]
    if statement.value is not None:
        return coded(field.element, statement.value)
    return missing_concept(statement.not_recorded)


def _not_done(statement: VisibleStatement | None) -> list[Json] | None:
    if statement is None or statement.negative is None:
        return None
    return [negative_concept(statement.negative)]


def _concepts(field: VisibleField | None) -> list[Json] | None:
    """Return the values of a coded field; None where it has none."""
    if field is None:
        return None
    found = [coded(field.element, statement.value) for statement in field.shown if statement.value is not None]
    return found or None


def _first(found: list[Json] | None) -> Json | None:
    return found[0] if found else None


def _dosage(group: _Group) -> Json:
    dose = group.value("dose")
    if dose is None:
        return {}
    member, amount = dose_quantity(dose, group.value("dose_unit") or "")
    route = _concepts(group.fields.get("route"))
    return {"dosage": {**({"route": route[0]} if route else {}), member: amount}}
