"""The catalogue agrees with the schema of NEMSIS 3.5.1 in usage, number of values, lists and pertinent negatives."""

from collections.abc import Iterator

from protocols.epcr.catalogue import ELEMENTS
from protocols.epcr.element import NEMSIS_NEGATIVES, Element
from protocols.epcr.value_sets import ListCode
from tests.builders.nemsis_schema import SchemaNode, schema_elements


def faults_of(element: Element, schema: SchemaNode) -> Iterator[str]:
    """Yield what the catalogue states of an element in another way than the schema."""
    if element.usage.value != schema.usage:
        yield "usage"
    if element.many is not schema.many:
        yield "number of values"
    if {NEMSIS_NEGATIVES[each] for each in element.with_value | element.instead} != schema.negatives:
        yield "pertinent negatives"
    if isinstance(element.values, ListCode) and not (schema.listed and all(map(element.values.permits, schema.listed))):
        yield "list"


def test_catalogue_agrees_with_the_schema():
    schema = schema_elements()
    faults = {element.key: list(faults_of(element, schema[element.nemsis])) for element in ELEMENTS}
    assert {key: found for key, found in faults.items() if found} == {}
