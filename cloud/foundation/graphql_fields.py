"""GraphQL fields that a slice (the folder of one capability) declares, and the scalar types that slices share.

A slice names its `GraphFields` in `Slice.graph`. The slice `graphql` joins them into one schema and executes documents.
The fields are declared without parts of a process, so that a console command can check documents against the schema. A
resolver gets the parts with each request. It raises a `DomainError` for what it refuses.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from graphql import (
    GraphQLArgument,
    GraphQLField,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLResolveInfo,
    GraphQLScalarType,
    StringValueNode,
    ValueNode,
)

from cloud.foundation.errors import DomainError
from cloud.foundation.http import Caller, OrganizationRequired, Parts
from cloud.foundation.moments import MomentMalformed, read_moment, write_moment
from cloud.foundation.viewer import Actor

SCOPES = "scopes"
"""Key in the extensions of a field: the scopes of which the caller needs one."""


class ArgumentInvalid(DomainError, code="bad_user_input", status=422):
    """An argument or a variable of the GraphQL operation is invalid."""


@dataclass(frozen=True, slots=True)
class GraphContext:
    """The caller of an operation, also as the actor of a change, and the parts of the process that executes it."""

    caller: Caller
    actor: Actor
    parts: Parts

    def require_organization(self) -> None:
        """Raise `OrganizationRequired` for a token without an organisation."""
        if self.caller.viewer.organization_id is None:
            raise OrganizationRequired


class Resolver(Protocol):
    """Returns the value of a root field. The arguments have the names that the schema declares."""

    def __call__(self, context: GraphContext, /, **arguments: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltInBundle:
    """Documents that every app may send, since the contract publishes them. Each field still needs its scopes."""

    name: str
    documents: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphFields:
    """The root fields of one slice by name, and its published documents."""

    queries: Mapping[str, GraphQLField] = field(default_factory=dict)
    mutations: Mapping[str, GraphQLField] = field(default_factory=dict)
    bundles: tuple[BuiltInBundle, ...] = ()


def root_field(
    kind: GraphQLOutputType,
    resolve: Resolver,
    *,
    scopes: frozenset[str],
    arguments: Mapping[str, GraphQLArgument] | None = None,
    description: str,
) -> GraphQLField:
    """Declare a root field. The caller needs one of `scopes`."""
    if not scopes:
        raise ValueError("a root field needs scopes")

    async def resolve_root(_source: Any, info: GraphQLResolveInfo[GraphContext], **given: Any) -> Any:
        return await resolve(info.context, **given)

    return GraphQLField(
        kind, dict(arguments or {}), resolve=resolve_root, description=description, extensions={SCOPES: scopes}
    )


def scopes_of(declared: GraphQLField) -> frozenset[str]:
    """Return the scopes of which a caller needs one to select a field. Empty: the field needs no scope of its own."""
    found = declared.extensions.get(SCOPES, frozenset())
    assert isinstance(found, frozenset)
    return found


def object_type(name: str, description: str, fields: Callable[[], Mapping[str, GraphQLField]]) -> GraphQLObjectType:
    """Declare an object type whose values are mappings with the names of its fields."""
    return GraphQLObjectType(name, lambda: dict(fields()), description=description)


def _read(value: Any) -> int:
    if not isinstance(value, str):
        raise ArgumentInvalid("A DateTime is a text.")
    # `read_moment` accepts every form of ISO 8601; the scalar accepts RFC 3339 alone.
    if len(value) < len("2026-04-01T00:00:00Z") or value[10] not in "Tt":
        raise ArgumentInvalid("A DateTime reads like 2026-04-01T00:00:00Z.")
    try:
        return read_moment(value)
    except (MomentMalformed, OverflowError):
        raise ArgumentInvalid("A DateTime reads like 2026-04-01T00:00:00Z, with Z or an offset.") from None


def _read_literal(node: ValueNode) -> int:
    if not isinstance(node, StringValueNode):
        raise ArgumentInvalid("A DateTime is a text.")
    return _read(node.value)


def _write(value: Any) -> str:
    if not isinstance(value, int):
        raise TypeError("a DateTime is written from µs since 1970")
    written = write_moment(value)
    assert written is not None
    return written


DATE_TIME = GraphQLScalarType(
    "DateTime",
    coerce_output_value=_write,
    coerce_input_value=_read,
    coerce_input_literal=_read_literal,
    description="A time as in RFC 3339, with Z or an offset. Resolvers get and return µs since 1970 UTC.",
)
