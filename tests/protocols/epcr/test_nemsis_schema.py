"""The catalogue agrees with the schema of NEMSIS 3.5.1 in usage, number of values, lists and pertinent negatives.

The schema has no licence, so it is not part of this repository, and the test is skipped where it is absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from protocols.epcr.catalogue import ELEMENTS
from protocols.epcr.element import NEMSIS_NEGATIVES, Element
from protocols.epcr.value_sets import ListCode
from tests.harness.shared import shared_path

SCHEMAS = "data/nemsis/3.5.1.250403CP1/XSDs/NEMSIS_EMS_XSDs"
XS = "{http://www.w3.org/2001/XMLSchema}"


@dataclass
class Described:
    """An element as the schema describes it: `codes` are the codes of its lists, negatives and reasons."""

    usage: str
    many: bool
    codes: set[str] = field(default_factory=set)


def described(folder: Path) -> dict[str, Described]:
    roots = [ElementTree.parse(path).getroot() for path in sorted(folder.glob("*.xsd"))]  # noqa: S314 - our own copy
    types = {node.get("name"): node for root in roots for node in root if node.get("name")}
    found = {}
    for root in roots:
        for node in root.iter(f"{XS}element"):
            usage = next((part.text for part in node.iter() if part.tag.endswith("usage")), None)
            if usage is not None and "." in str(node.get("name")):
                codes = set(codes_of(node, types, set()))
                found[str(node.get("name"))] = Described(usage.lower(), node.get("maxOccurs") == "unbounded", codes)
    return found


def codes_of(node: ElementTree.Element, types: dict[str | None, ElementTree.Element], seen: set[str]) -> Iterator[str]:
    """Yield the enumerated values of an element or a type, and of the types that it refers to."""
    for part in node.iter():
        if part.tag == f"{XS}enumeration":
            yield str(part.get("value"))
        for name in (part.get("type"), part.get("base"), *(part.get("memberTypes") or "").split()):
            if name in types and name not in seen:
                seen.add(name)
                yield from codes_of(types[name], types, seen)


def faults_of(element: Element, schema: Described) -> Iterator[str]:
    """Yield what the catalogue states of an element in another way than the schema."""
    if element.usage.value != schema.usage:
        yield "usage"
    if element.many is not schema.many:
        yield "number of values"
    negatives = {NEMSIS_NEGATIVES[each] for each in element.with_value | element.instead}
    if negatives != {code for code in schema.codes if code.startswith("8801")}:
        yield "pertinent negatives"
    if isinstance(element.values, ListCode):
        listed = {code for code in schema.codes if code[:4] not in ("8801", "7701") and len(code) == 7}
        if not listed or not all(map(element.values.permits, listed)):
            yield "list"


def test_catalogue_agrees_with_the_schema():
    schema = described(shared_path(SCHEMAS))
    faults = {element.key: list(faults_of(element, schema[element.nemsis])) for element in ELEMENTS}
    assert {key: found for key, found in faults.items() if found} == {}
