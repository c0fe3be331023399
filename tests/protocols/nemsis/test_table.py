"""Our table of the document agrees with the schema of NEMSIS 3.5.1 in nesting, order, number, reasons and forms."""

from collections.abc import Iterator

import pytest

from protocols.epcr.catalogue import ELEMENTS, find_group
from protocols.epcr.element import NEMSIS_NOT_RECORDED, Usage
from protocols.nemsis.content import demand_of
from protocols.nemsis.forms import FORMS
from protocols.nemsis.report import REPORT
from protocols.nemsis.structure import Branch, Leaf
from tests.builders.nemsis_schema import SchemaNode, ems_schema, schema_elements

SINGLE = {
    "eSituation.PatientComplaintGroup",
    "eOther.EMSCrewMemberGroup",
    "eOutcome.EmergencyDepartmentProceduresGroup",
    "eOutcome.HospitalProceduresGroup",
}
"""Groups that NEMSIS repeats and the care record has once, or not at all."""
OPTIONAL_THOUGH_REQUIRED = {"ePatient.25"}
"""Elements of version 3.5 that the schema lets a document lack, although their usage is required."""
PATTERNLESS = {"ePatient.06", "eHistory.07", "eMedications.03", "eProcedures.03", "eScene.17"}
"""Elements whose form is a type or a rule of NEMSIS, and no pattern of the schema."""


def disagreements(ours: Branch, schema: SchemaNode) -> Iterator[str]:
    """Yield the places where a branch of our table differs from the schema."""
    nodes = {node.name: node for node in schema.children}
    names = [child.name for child in ours.children]
    known = [name for name in nodes if name in names]
    if names != known:
        yield f"{ours.name}: {names} instead of {known}"
    for name, node in nodes.items():
        if node.least and name not in names:
            yield f"{name} is missing"
    for child in ours.children:
        node = nodes[child.name]
        if isinstance(child, Leaf):
            yield from leaf_disagreements(child, node)
        else:
            if child.required is not bool(node.least):
                yield f"{child.name}: required {child.required}"
            if (child.entries is not None) is not node.many and child.name not in SINGLE:
                yield f"{child.name}: repeated {node.many}"
            yield from disagreements(child, node)


def leaf_disagreements(leaf: Leaf, node: SchemaNode) -> Iterator[str]:
    demand = demand_of(leaf.name)
    is_required = demand.usage in (Usage.MANDATORY, Usage.REQUIRED) and leaf.name not in OPTIONAL_THOUGH_REQUIRED
    if bool(node.least) is not is_required:
        yield f"{leaf.name}: at least {node.least}"
    if {NEMSIS_NOT_RECORDED[reason] for reason in demand.reasons} != node.reasons:
        yield f"{leaf.name}: reasons {node.reasons}"


def test_table_has_the_order_nesting_and_cardinality_of_the_schema():
    assert list(disagreements(REPORT, ems_schema())) == []


def test_forms_are_the_patterns_of_the_schema():
    schema = schema_elements()
    kinds = {element.nemsis: element.values.kind for element in ELEMENTS}
    patterned = {name for name in kinds if schema[name].patterns and kinds[name] not in ("time", "whole")}
    assert patterned <= FORMS.keys()
    for name, form in FORMS.items():
        if name not in PATTERNLESS:
            assert {form.pattern.pattern} == schema[name].patterns, name


def test_table_has_each_element_of_the_catalogue_once():
    names = [leaf.name for leaf in REPORT.leaves()]
    assert len(names) == len(set(names))
    assert {element.nemsis for element in ELEMENTS} <= set(names)


@pytest.mark.parametrize("name", [leaf.name for leaf in REPORT.leaves() if demand_of(leaf.name).element is None])
def test_element_that_the_catalogue_lacks_is_required(name: str):
    assert schema_elements()[name].usage == "required"


def test_branches_with_entries_are_groups_of_the_catalogue():
    def entries(branch: Branch) -> Iterator[str]:
        for child in branch.children:
            if isinstance(child, Branch):
                if child.entries is not None:
                    yield child.entries
                yield from entries(child)

    found = list(entries(REPORT))
    assert len(found) == len(set(found))
    for name in found:
        group = find_group(name)
        assert group is not None
        assert group.repeated
