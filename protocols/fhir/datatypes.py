"""Data types of FHIR as dictionaries, for `orjson`."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

import orjson

from protocols.epcr.element import Audience
from protocols.fhir.ids import condition
from protocols.fhir.systems import ABSENT_REASON, ACT_REASON, IDENTIFIER, MDC, OBSERVATION_VALUE, UCUM
from protocols.ieee11073.nomenclature import Code, term_of
from protocols.ucum import without_annotations

Json = dict[str, Any]

_EXACT_MAX = 1e15
"""Numbers up to here have all their digits as integers."""


def coding(system: str, code: str, display: str = "") -> Json:
    return {"system": system, "code": code, **({"display": display} if display else {})}


def concept(*codings: Json, text: str = "") -> Json:
    """Return a CodeableConcept. Codings or a text must be given."""
    return {**({"coding": list(codings)} if codings else {}), **({"text": text} if text else {})}


def mdc_coding(code: Code) -> Json:
    """Return the coding of a code of IEEE 11073-10101: its context-free number in decimal, with its reference id."""
    term = term_of(code)
    return coding(MDC, str(code.context_free), term.ref_id if term.kind != "unknown" else "")


def quantity(number: str, unit: str) -> Json:
    """Return a Quantity of a number, written as it is, and of a UCUM unit. Annotations stay in the text of the unit."""
    return {"value": orjson.Fragment(number), "unit": unit, "system": UCUM, "code": without_annotations(unit)}


def reference(kind: str, id_: str) -> Json:
    """Return the reference to another entry of the same bundle. Its temporary address does not show the type of the
    resource, so the type is stated."""
    return {"reference": f"urn:uuid:{id_}", "type": kind}


def absent(reason: str) -> Json:
    """Return the reason for a missing value, a code of FHIR's data-absent-reason."""
    return concept(coding(ABSENT_REASON, reason))


def meta(audience: Audience, *profiles: str, test_data: bool = False) -> Json:
    """Return the metadata of a resource: its profiles, and the security labels of de-identified and of test data."""
    labels = []
    if audience is Audience.PARTNERS:
        labels.append(coding(OBSERVATION_VALUE, "PSEUDED", "pseudonymized"))
    if test_data:
        labels.append(coding(ACT_REASON, "HTEST", "test health data"))
    return {**({"profile": list(profiles)} if profiles else {}), **({"security": labels} if labels else {})}


def identifiers(id_: str, *others: Json) -> list[Json]:
    """Return the identifiers of a resource: that by which it is created once, and others."""
    return [{"system": IDENTIFIER, "value": id_}, *others]


def entry(id_: str, resource: Json) -> Json:
    """Return the entry that creates a resource unless the server has it. Members that are None are left out."""
    body = {name: value for name, value in resource.items() if value is not None}
    request = {"method": "POST", "url": body["resourceType"], "ifNoneExist": condition(id_)}
    return {"fullUrl": f"urn:uuid:{id_}", "resource": body, "request": request}


def encoded(entries: Iterable[Json]) -> list[str]:
    """Return the JSON of entries."""
    return [orjson.dumps(one).decode() for one in entries]


def number_text(number: float) -> str:
    """Return a finite number as a decimal of FHIR without an exponent."""
    if number.is_integer() and -_EXACT_MAX < number < _EXACT_MAX:
        return str(int(number))
    text = repr(number)
    return format(Decimal(text), "f") if "e" in text else text


def optional(items: Sequence[Any]) -> list[Any] | None:
    """Return a list, or None for an empty one: FHIR permits no empty arrays."""
    return list(items) or None
