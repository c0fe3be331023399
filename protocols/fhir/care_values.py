"""Values of the care record in FHIR: codes with systems, numbers with units, negatives and missing values."""

from types import MappingProxyType
from typing import Final

import orjson

from protocols.epcr.element import NEMSIS_NEGATIVES, NEMSIS_NOT_RECORDED, Element, Negative, NotRecorded
from protocols.epcr.projection import VisibleStatement
from protocols.epcr.units import DOSE_UNITS, RATE_UNITS, canonical_number
from protocols.epcr.value_sets import Decimal, Digits, EitherOf, Icd10, Letters, ListCode, OneOf, ValueSet, Whole
from protocols.fhir.datatypes import Json, absent, coding, concept, quantity
from protocols.fhir.systems import ABSENT_REASON, ICD10, ISO_639, NEMSIS, RXNORM, SNOMED

_SNOMED, _SCORE = "SNOMED CT", "{score}"
_RXNORM_DIGITS_MAX = 7
"""Codes of RxNorm have at most this many digits, and the concepts of SNOMED CT that NEMSIS permits as drugs have
more."""

_REASONS: Final = MappingProxyType(
    {
        NotRecorded.NOT_APPLICABLE: "not-applicable",
        NotRecorded.NOT_RECORDED: "unknown",
        NotRecorded.NOT_REPORTING: "masked",
    }
)
_NEGATIVE_REASONS: Final = MappingProxyType(
    {
        Negative.REFUSED: "asked-declined",
        Negative.UNABLE_TO_COMPLETE: "not-performed",
        Negative.UNRESPONSIVE: "not-performed",
        Negative.NOT_PERFORMED: "not-performed",
        Negative.CONTRAINDICATED: "not-performed",
        Negative.CRITERIA_NOT_MET: "not-performed",
        Negative.DENIED_BY_ORDER: "not-permitted",
    }
)
"""Negatives that state why nothing was measured. The others state a finding, so they are a value."""


def coded(element: Element, value: str) -> Json:
    """Return a value of a coded element as a CodeableConcept."""
    return concept(coding(_system(element.values, value), value))


def negative_concept(negative: Negative) -> Json:
    """Return a pertinent negative as a CodeableConcept."""
    return concept(coding(NEMSIS, NEMSIS_NEGATIVES[negative]), text=negative.value.replace("_", " "))


def missing_concept(reason: NotRecorded | None) -> Json:
    """Return a CodeableConcept that states why there is no code."""
    if reason is None:
        return concept(coding(ABSENT_REASON, "unknown"))
    return concept(coding(ABSENT_REASON, _REASONS[reason]), coding(NEMSIS, NEMSIS_NOT_RECORDED[reason]))


def observation_value(element: Element, statement: VisibleStatement) -> Json:
    """Return the members of an Observation, or of a component, that state the content of a field."""
    if statement.value is not None:
        members = _value(element, statement.value, or_more=statement.or_more)
        if statement.negative is not None:
            members["interpretation"] = [negative_concept(statement.negative)]
        return members
    if statement.negative is not None:
        if (reason := _NEGATIVE_REASONS.get(statement.negative)) is None:
            return {"valueCodeableConcept": negative_concept(statement.negative)}
        detail = negative_concept(statement.negative)
        return {"dataAbsentReason": {**absent(reason), "text": detail["text"]}}
    return {"dataAbsentReason": missing_concept(statement.not_recorded)}


def _value(element: Element, value: str, *, or_more: bool) -> Json:
    match element.values:
        case Whole(unit=unit, words=words) if value not in words:
            return _number(value, unit, or_more=or_more)
        case Decimal(unit=unit):
            return _number(value, unit, or_more=or_more)
        case OneOf(codes=codes) if all(map(str.isdecimal, codes)):
            return _number(value, _SCORE, or_more=or_more)
    match element.values.kind:
        case "code":
            return {"valueCodeableConcept": coded(element, value)}
        case "time":
            return {"valueDateTime": value}
        case _:
            return {"valueString": value}


def _number(value: str, unit: str, *, or_more: bool) -> Json:
    found = quantity(canonical_number(value), unit or "1")
    return {"valueQuantity": {**found, "comparator": ">="} if or_more else found}


def dose_quantity(value: str, unit: str) -> tuple[str, Json]:
    """Return the member of a dosage, dose or rateQuantity, and its Quantity. A unit without UCUM keeps its code."""
    number = canonical_number(value)
    if unit in RATE_UNITS:
        return "rateQuantity", quantity(number, RATE_UNITS[unit])
    if unit in DOSE_UNITS:
        return "dose", quantity(number, DOSE_UNITS[unit])
    plain: Json = {"value": orjson.Fragment(number)}
    return "dose", {**plain, "system": NEMSIS, "code": unit} if unit else plain


def _system(values: ValueSet, value: str) -> str:
    match values:
        case ListCode() | OneOf():
            return NEMSIS
        case Icd10():
            return ICD10
        case Letters():
            return ISO_639
        case Digits(terminology=terminology) if terminology == _SNOMED or len(value) > _RXNORM_DIGITS_MAX:
            return SNOMED
        case EitherOf(first=first, second=second):
            return _system(first if first.permits(value) else second, value)
        case _:
            return RXNORM
