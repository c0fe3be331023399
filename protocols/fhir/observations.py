"""Observations of devices, written from templates.

An encounter has some ten thousand observations, and those of one channel differ in four places: id, time, coincident
time stamp and value. So the JSON of a channel is made once (`Template`) and split at these places, and an observation
costs one hash and one formatted string.

Values, after the HL7 Personal Health Device guide: a number is a Quantity; a compound, such as a blood pressure, has
one component for each part; samples are a SampledData of the raw integers with the scale of the channel; a code is a
CodeableConcept; bits are components of booleans. A special value of a FLOAT, and a value that the device calls invalid,
is a dataAbsentReason. A text that a device sent may contain a name, so a partner gets "masked" in its place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from protocols.epcr.element import Audience
from protocols.fhir.datatypes import Json, absent, concept, entry, identifiers, mdc_coding, meta, number_text, reference
from protocols.fhir.ids import Prefix, ResourceIds
from protocols.fhir.measured import categories, code_concept, loinc_codes, ucum_of, unit_members, vital_sign_profiles
from protocols.fhir.measurement_status import SPECIAL_REASONS, status_in_fhir
from protocols.fhir.resource_line import resource_line
from protocols.fhir.status_bits import bit_components
from protocols.fhir.systems import COINCIDENT_EXTENSION, GATEWAY_EXTENSION, METRIC_EXTENSION, PHD_PROFILE
from protocols.ieee11073.nomenclature import Code, code_of
from protocols.observation import Scalar, Special
from protocols.observation_record import ObservationRecord, raw_samples, utc_text

TEMPLATES_MAX = 4_096
"""Templates that are kept, of some kilobytes each. A vehicle has some hundred channels, and each has few statuses."""
_ID, _TIME, _COINCIDENT, _VALUE = "\ue000", "\ue001", "\ue002", "@value"
_LONG_ID, _LONG_COINCIDENT = "0" * 36, "1" * 36
_SUPPLEMENTAL = code_of("MDC_ATTR_SUPPLEMENTAL_TYPES")


@dataclass(frozen=True, slots=True)
class Origin:
    """The resources that all observations of a device and gateway refer to, as ids, and what an application wrote.

    `gateway` is None for an observation that an application posted; `name` and `unit` are then the code and unit as
    posted.
    """

    device: str
    gateway: str | None = None
    name: str = ""
    unit: str = ""


class ObservationEntries:
    """Writes observations of one patient and encounter, as entries of a bundle or as lines (`resource_line`)."""

    def __init__(
        self, ids: ResourceIds, audience: Audience, *, patient: str, encounter: str, as_lines: bool = False
    ) -> None:
        self._as_lines = as_lines
        self._audience = audience
        self._subject, self._encounter = reference("Patient", patient), reference("Encounter", encounter)
        self._posted = ids.prefix("posted observation")
        self._ids = ids
        self._lanes: dict[tuple[str, str, str], Prefix] = {}
        self._templates: dict[tuple[Any, ...], Template] = {}

    def id_of(self, record: ObservationRecord, posted: str = "") -> str:
        """Return the id of an observation, which follows from its place in the gateway's lane, or from the id `posted`
        of an observation that an application posted."""
        if posted:
            return self._posted.id_of(posted)
        return self.prefix_of(record).id_of(f"{record.sequence}/{record.index}")

    def prefix_of(self, record: ObservationRecord) -> Prefix:
        """Return the beginning of the names of all observations in the lane of a record."""
        lane = record.gateway, record.epoch, record.lane.value
        if (prefix := self._lanes.get(lane)) is None:
            prefix = self._lanes[lane] = self._ids.prefix("observation", *lane)
        return prefix

    def entry(
        self,
        record: ObservationRecord,
        origin: Origin,
        *,
        metric: str,
        coincident: str | None = None,
        posted: str = "",
    ) -> str:
        """Return the JSON of the entry of an observation. `metric` is the id of its metric, `coincident` that of its
        coincident time stamp, and `posted` that of an observation that an application posted."""
        template = self.template(record, origin, metric, has_coincident=coincident is not None)
        return template.write(
            self.id_of(record, posted),
            utc_text(record.observed_at_us),
            coincident or "",
            self._values(record, origin, template.is_absent),
        )

    def template(self, record: ObservationRecord, origin: Origin, metric: str, *, has_coincident: bool) -> "Template":
        """Return the template of all observations that differ from a record only in id, times and value."""
        value = record.value
        kind = type(value)
        shape = len(value) if type(value) is tuple else 0
        key = (
            *(record.type, record.unit, record.status, kind, shape, origin, metric, has_coincident),
            *(record.components, record.supplemental_types, record.array),
        )
        if (template := self._templates.get(key)) is None:
            if len(self._templates) >= TEMPLATES_MAX:
                self._templates.clear()
            document = self._document(record, origin, metric, has_coincident)
            template = self._templates[key] = Template(document, as_line=self._as_lines)
        return template

    def _document(self, record: ObservationRecord, origin: Origin, metric: str, has_coincident: bool) -> Json:
        """Return the entry with marks in place of what differs between the observations of a channel."""
        status = status_in_fhir(record.status)
        loinc = loinc_codes(record.type, record.unit, origin.unit)
        ucum = origin.unit or ucum_of(record.unit) or ""
        profile = PHD_PROFILE + _profile(record)
        profiles = vital_sign_profiles(loinc, ucum, [] if status.absent else _parts(record))
        value: Json = {_VALUE: 0}
        if status.absent:
            value = {"dataAbsentReason": absent(status.absent)}
        components: list[Json] = []
        supplemental = _supplemental(record)
        if type(record.value) is int and not status.absent:
            supplemental = []  # the components of bits are the value
        elif type(record.value) is tuple and not status.absent:
            value = {}
            components = [
                {"code": code_concept(code, record.unit), _VALUE: 0}
                for code in _component_types(record.type, record.components, len(record.value))
            ]
        extensions = [] if origin.gateway is None else [_refers(GATEWAY_EXTENSION, "Device", origin.gateway)]
        extensions.append(_refers(METRIC_EXTENSION, "DeviceMetric", metric))
        if has_coincident:
            extensions.append(_refers(COINCIDENT_EXTENSION, "Observation", _COINCIDENT))
        resource: Json = {
            "resourceType": "Observation",
            "meta": meta(self._audience, profile, *profiles, test_data=status.test_data),
            "extension": extensions,
            "identifier": identifiers(_ID),
            "status": status.status,
            "category": categories(loinc),
            "code": code_concept(record.type, record.unit, name=origin.name, written=origin.unit),
            "subject": self._subject,
            "encounter": self._encounter,
            "effectiveDateTime": _TIME,
            "interpretation": list(status.interpretation) or None,
            "device": reference("Device", origin.device),
            "component": [*components, *supplemental] or None,
        }
        return entry(_ID, {**resource, **value} if value else resource)

    def _values(self, record: ObservationRecord, origin: Origin, is_absent: bool) -> Sequence[str]:
        """Return the JSON of what differs: of the value, or of each component."""
        if is_absent:
            return ()
        value = record.value
        if type(value) is float:
            return (_quantity(value, record.unit, origin.unit),)
        if type(value) is tuple:
            return [_scalar(each, record.unit) for each in value]
        return (self._other(record),)

    def _other(self, record: ObservationRecord) -> str:
        value = record.value
        match value:
            case None:
                return _samples(record)
            case Special():
                return _scalar(value, record.unit)
            case Code():
                return _member("valueCodeableConcept", concept(mdc_coding(value)))
            case str():
                if self._audience is Audience.PARTNERS:
                    return _member("dataAbsentReason", absent("masked"))
                return (
                    _member("valueString", value) if _is_text(value) else _member("dataAbsentReason", absent("error"))
                )
            case _:
                assert isinstance(value, int), "a compound has components"
                found = [*bit_components(record.type, value), *_supplemental(record)]
                return _member("component", found) if found else _member("dataAbsentReason", absent("unknown"))


class Template:
    """An entry, split at its marks. An id occurs three times, and in a line (`resource_line`) twice."""

    __slots__ = ("_begin", "_end", "_fixed", "_is_line", "_names", "_parts", "is_absent")

    def __init__(self, document: Json, *, as_line: bool) -> None:
        text = orjson.dumps(document).decode()
        if as_line:
            # Marks of the length of an id, so that they are where ids are.
            text = resource_line(text.replace(_ID, _LONG_ID).replace(_COINCIDENT, _LONG_COINCIDENT))
            text = text.replace(_LONG_ID, _ID).replace(_LONG_COINCIDENT, _COINCIDENT)
        self._is_line = as_line
        begin, name, rest, *ends = text.split(_ID)
        end = ends[0] if ends else ""
        before, rest = rest.split(_TIME)
        parts = rest.split(f'"{_VALUE}":0')
        self.is_absent = len(parts) == 1
        head, *extension = name.split(_COINCIDENT)
        self._begin, self._end = begin, end
        self._names = (head, extension[0] if extension else "", before)
        self._parts = parts

    def write_one(self, id_: str, time: str, coincident: str, value: str) -> str:
        """Return the entry with one value."""
        head, extension, before = self._names
        first, second = self._parts
        text = f"{self._begin}{id_}{head}{coincident}{extension}{id_}{before}{time}{first}{value}{second}"
        return text if self._is_line else f"{text}{id_}{self._end}"

    def write(self, id_: str, time: str, coincident: str, values: Sequence[str]) -> str:
        """Return the entry with these values, as many as it has places."""
        head, extension, before = self._names
        first, *others = self._parts
        middle = "".join([f"{value}{part}" for value, part in zip(values, others, strict=True)])
        text = f"{self._begin}{id_}{head}{coincident}{extension}{id_}{before}{time}{first}{middle}"
        return text if self._is_line else f"{text}{id_}{self._end}"


def _profile(record: ObservationRecord) -> str:
    match record.value:
        case None:
            return "PhdRtsaObservation"
        case Code():  # before the compound, since a code is a tuple too
            return "PhdCodedEnumerationObservation"
        case tuple():
            return "PhdCompoundNumericObservation"
        case str():
            return "PhdStringObservation"
        case float() | Special():
            return "PhdNumericObservation"
        case _:
            return "PhdBitsEnumerationObservation"


def _component_types(type_: Code, components: Sequence[Code], count: int) -> list[Code]:
    """Return the type of each component. A device may name fewer than it sends; the others have the type of the
    whole."""
    return [components[place] if place < len(components) else type_ for place in range(count)]


def _parts(record: ObservationRecord) -> list[str]:
    """Return the LOINC codes of the parts of a compound value."""
    if type(record.value) is not tuple:
        return []
    types = _component_types(record.type, record.components, len(record.value))
    return [code for type_ in types for code in loinc_codes(type_, record.unit)]


def _supplemental(record: ObservationRecord) -> list[Json]:
    return [
        {"code": concept(mdc_coding(_SUPPLEMENTAL)), "valueCodeableConcept": concept(mdc_coding(code))}
        for code in record.supplemental_types
    ]


def _refers(url: str, kind: str, id_: str) -> Json:
    return {"url": url, "valueReference": reference(kind, id_)}


_QUANTITIES: dict[tuple[Code | None, str], str] = {}


def quantity_members(unit: Code | None, written: str = "") -> str:
    """Return the JSON of the members of a Quantity behind its value, with the closing brace."""
    if (members := _QUANTITIES.get((unit, written))) is None:
        if len(_QUANTITIES) >= TEMPLATES_MAX:
            _QUANTITIES.clear()
        members = _QUANTITIES[unit, written] = orjson.dumps(unit_members(unit, written)).decode()[1:]
    return members


def _quantity(number: float, unit: Code | None, written: str = "") -> str:
    return f'"valueQuantity":{{"value":{number_text(number)},{quantity_members(unit, written)}'


def _scalar(scalar: Scalar, unit: Code | None) -> str:
    if isinstance(scalar, Special):
        return _member("dataAbsentReason", absent(SPECIAL_REASONS[scalar]))
    return _quantity(scalar, unit)


def _samples(record: ObservationRecord) -> str:
    """Return the samples as they were sent; physical = sample × factor + origin."""
    scale, samples = record.array, raw_samples(record)
    if scale is None or not samples:
        return _member("dataAbsentReason", absent("unknown"))
    sampled = {
        "origin": {"value": orjson.Fragment(number_text(scale.offset)), **unit_members(record.unit)},
        "period": orjson.Fragment(number_text(scale.period_s * 1000)),
        "factor": orjson.Fragment(number_text(scale.slope)),
        "dimensions": 1,
        "data": " ".join(map(str, samples)),
    }
    return _member("valueSampledData", sampled)


def _member(name: str, value: Any) -> str:
    return orjson.dumps({name: value}).decode()[1:-1]


def _is_text(text: str) -> bool:
    """Return whether a text is a string of FHIR: not empty, and without control characters."""
    return bool(text.strip()) and all(letter.isprintable() or letter in "\t\r\n" for letter in text)
