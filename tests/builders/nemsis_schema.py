"""The schema of NEMSIS 3.5.1 as a tree of nodes, for comparisons with the catalogue and with our table.

The schema has no licence, so it is not part of this repository: `ems_schema` skips the test where it is absent.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from xml.etree import ElementTree

from tests.harness.shared import shared_path

VERSION = "data/nemsis/3.5.1.250403CP1"
SCHEMAS = f"{VERSION}/XSDs/NEMSIS_EMS_XSDs"
XS = "{http://www.w3.org/2001/XMLSchema}"
Types = dict[str | None, ElementTree.Element]


@dataclass
class SchemaNode:
    """An element as the schema describes it. `listed` are the codes of its lists; `reasons` and `negatives` are the
    codes that its attributes NV and PN permit."""

    name: str
    least: int
    many: bool
    usage: str
    listed: set[str] = field(default_factory=set)
    reasons: set[str] = field(default_factory=set)
    negatives: set[str] = field(default_factory=set)
    patterns: set[str] = field(default_factory=set)
    children: list["SchemaNode"] = field(default_factory=list)

    def walk(self) -> Iterator["SchemaNode"]:
        yield self
        for child in self.children:
            yield from child.walk()


@cache
def ems_schema() -> SchemaNode:
    """Return the element PatientCareReport of the schema."""
    return _schema()["PatientCareReport"]


@cache
def schema_elements() -> dict[str, SchemaNode]:
    """Return the elements with content by their names."""
    return {name: node for name, node in _schema().items() if not node.children}


@cache
def _schema() -> dict[str, SchemaNode]:
    roots = [ElementTree.parse(path).getroot() for path in sorted(shared_path(SCHEMAS).glob("*.xsd"))]  # noqa: S314 - our own copy
    types: Types = {node.get("name"): node for root in roots for node in root if node.get("name")}
    return {node.name: node for node in _node(types["EMSDataSet"], types).walk()}


def _node(element: ElementTree.Element, types: Types) -> SchemaNode:
    kind = types.get(element.get("type"))
    if kind is None:
        kind = element
    usage = next((str(part.text).lower() for part in element.iter() if part.tag.endswith("usage")), "")
    node = SchemaNode(
        str(element.get("name")),
        int(element.get("minOccurs", "1")),
        element.get("maxOccurs") == "unbounded",
        usage,
    )
    sequence = kind.find(f".//{XS}sequence")
    if sequence is not None:
        node.children = [_node(each, types) for each in sequence.findall(f"{XS}element")]
        return node
    for attribute in kind.iter(f"{XS}attribute"):
        codes = set(_facets(attribute, types, "enumeration", set()))
        if attribute.get("name") == "NV":
            node.reasons = codes
        elif attribute.get("name") == "PN":
            node.negatives = codes
    extension = kind.find(f".//{XS}extension")
    base = types.get(extension.get("base")) if extension is not None else kind
    if base is not None:
        node.listed = set(_facets(base, types, "enumeration", set()))
        node.patterns = set(_facets(base, types, "pattern", set()))
    return node


def _facets(node: ElementTree.Element, types: Types, facet: str, seen: set[str]) -> Iterator[str]:
    """Yield the values of a facet in a type, and in the types that it refers to."""
    for part in node.iter():
        if part.tag == f"{XS}{facet}":
            yield str(part.get("value"))
        for name in (part.get("type"), part.get("base"), *(part.get("memberTypes") or "").split()):
            if name in types and name not in seen:
                seen.add(name)
                yield from _facets(types[name], types, facet, seen)
