"""The GraphQL schema, joined from the fields of all slices, and the check and plan of a document.

A plan is what a document needs at each execution and does not change: its operation, and the scopes of its fields. It
is made once for each document. The schema is never shown: introspection is refused, and errors name no type or field of
it to a client (contract matrix A-091).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

from graphql import (
    DocumentNode,
    FieldNode,
    GraphQLField,
    GraphQLObjectType,
    GraphQLSchema,
    NoSchemaIntrospectionCustomRule,
    OperationDefinitionNode,
    OperationType,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    specified_rules,
    validate,
    visit,
)

from cloud.foundation.graphql_fields import BuiltInBundle, GraphFields, scopes_of
from cloud.foundation.slice import declared
from cloud.partners.graphql.document import Document
from cloud.partners.graphql.errors import BundleMalformed

ERRORS_MAX = 5
"""Errors of a document that are reported to the operator."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A checked document. `scopes` has a set for each field that needs a scope: the caller needs one of each set."""

    document: DocumentNode
    operation: OperationDefinitionNode
    scopes: Sequence[frozenset[str]]

    @property
    def name(self) -> str | None:
        """The name of the operation, None for an anonymous one."""
        return None if self.operation.name is None else self.operation.name.value

    @property
    def variables(self) -> frozenset[str]:
        """The names of the variables."""
        return frozenset(one.variable.name.value for one in self.operation.variable_definitions or ())


@cache
def schema() -> GraphQLSchema:
    """Return the schema of this program."""
    queries, mutations = _joined("queries"), _joined("mutations")
    return GraphQLSchema(
        query=GraphQLObjectType("Query", queries),
        mutation=GraphQLObjectType("Mutation", mutations) if mutations else None,
    )


def built_in_bundles() -> Iterator[BuiltInBundle]:
    """Yield the bundles that the contract publishes."""
    for one in _fields():
        yield from one.bundles


def _fields() -> Iterator[GraphFields]:
    for one in declared():
        if one.graph is not None:
            found = one.load(one.graph)
            assert isinstance(found, GraphFields)
            yield found


def _joined(kind: str) -> dict[str, GraphQLField]:
    joined: dict[str, GraphQLField] = {}
    for one in _fields():
        for name, field in getattr(one, kind).items():
            if name in joined:
                raise ValueError(f"two slices declare the GraphQL field {name}")
            if not scopes_of(field):
                raise ValueError(f"the GraphQL field {name} declares no scopes")
            joined[name] = field
    return joined


def make_plan(document: Document) -> Plan:
    """Check a document against the schema and return its plan. Raises `BundleMalformed`, whose detail only the operator
    sees, since it names fields of the schema."""
    operations = [one for one in document.node.definitions if isinstance(one, OperationDefinitionNode)]
    if len(operations) != 1:
        raise BundleMalformed("(A document has exactly one operation.)")
    (operation,) = operations
    if operation.operation is OperationType.SUBSCRIPTION:
        raise BundleMalformed("(Subscriptions are not supported.)")
    rules = (*specified_rules, NoSchemaIntrospectionCustomRule)
    errors = validate(schema(), document.node, rules, max_errors=ERRORS_MAX, hide_suggestions=True)
    if errors:
        raise BundleMalformed(f"({'; '.join(error.message for error in errors[:ERRORS_MAX])})")
    found = _ScopeFinder()
    visit(document.node, TypeInfoVisitor(found.types, found))
    return Plan(document.node, operation, tuple(found.scopes))


class _ScopeFinder(Visitor):
    """Collects the sets of scopes of all fields of a document."""

    def __init__(self) -> None:
        super().__init__()
        self.types = TypeInfo(schema())
        self.scopes: set[frozenset[str]] = set()

    def enter_field(self, _node: FieldNode, *_rest: object) -> None:
        field = self.types.get_field_def()
        if field is not None and (needed := scopes_of(field)):
            self.scopes.add(needed)
