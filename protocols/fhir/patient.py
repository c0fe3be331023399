"""The patient in FHIR: a pseudonym and the sex for a partner, the identity for the hospital of an identified hand-over.

The identity is in the visible record only if its audience may see it, so this code makes both.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from protocols.epcr.element import Audience
from protocols.epcr.projection import VisibleField, VisibleRecord
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, meta
from protocols.fhir.ids import ResourceIds
from protocols.fhir.systems import IDENTIFIER_TYPE, ISO_639, PESEL, PHD_PROFILE

_GENDERS: Final = MappingProxyType({"9919001": "female", "9919003": "male", "9919005": "unknown"})
_ADDRESS: Final = (
    ("patient.city", "city"),
    ("patient.county", "district"),
    ("patient.state", "state"),
    ("patient.postcode", "postalCode"),
    ("patient.country", "country"),
)
_PESEL_WEIGHTS = (1, 3, 7, 9, 1, 3, 7, 9, 1, 3)


class PatientEntry:
    """The entry of the patient of a record. `id` follows from the pseudonym, so a patient whose number is known is the
    same in each encounter of the tenant."""

    def __init__(self, ids: ResourceIds, record: VisibleRecord) -> None:
        self.id = ids.id_of("patient", record.patient)
        self._record = record

    def entry(self) -> Json:
        fields = {field.element.key: field for field in self._record.fields}
        return entry(
            self.id,
            {
                "resourceType": "Patient",
                "meta": meta(self._record.audience, f"{PHD_PROFILE}PhdPatient"),
                "identifier": identifiers(self.id, *_national_number(fields)),
                **_identity(fields, self._record.audience),
                "gender": _GENDERS.get(_text(fields, "patient.sex")),
            },
        )


def _text(fields: Mapping[str, VisibleField], key: str) -> str:
    field = fields.get(key)
    return "" if field is None else field.shown[0].value or ""


def _texts(fields: Mapping[str, VisibleField], key: str) -> Sequence[str]:
    field = fields.get(key)
    return [] if field is None else [each.value for each in field.shown if each.value is not None]


def _identity(fields: Mapping[str, VisibleField], audience: Audience) -> Json:
    if audience is Audience.PARTNERS:
        return {}
    family, given = _text(fields, "patient.last_name"), _text(fields, "patient.first_name")
    name = {**({"family": family} if family else {}), **({"given": [given]} if given else {})}
    street = _text(fields, "patient.street")
    address: Json = {"line": [street]} if street else {}
    address.update({member: text for key, member in _ADDRESS if (text := _text(fields, key))})
    phones = [{"system": "phone", "value": number} for number in _texts(fields, "patient.phone")]
    languages = [{"language": concept(coding(ISO_639, code))} for code in _texts(fields, "patient.language")]
    return {
        "name": [name] if name else None,
        "telecom": phones or None,
        "birthDate": _text(fields, "patient.birth_date") or None,
        "address": [address] if address else None,
        "communication": languages or None,
    }


def _national_number(fields: Mapping[str, VisibleField]) -> list[Json]:
    number = _text(fields, "patient.national_number")
    if not number:
        return []
    type_ = concept(coding(IDENTIFIER_TYPE, "NI"))
    return [{"type": type_, **({"system": PESEL} if _is_pesel(number) else {}), "value": number}]


def _is_pesel(number: str) -> bool:
    if len(number) != 11 or not (number.isascii() and number.isdecimal()):
        return False
    total = sum(weight * int(digit) for weight, digit in zip(_PESEL_WEIGHTS, number, strict=False))
    return (10 - total % 10) % 10 == int(number[10])
