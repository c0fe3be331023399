"""The data schemas of all slices, as JSON Schema documents (draft 2020-12) and as the list that a caller may see.

Each document is written once at start and refers to nothing outside of itself, so that a client can keep it
(contract C-269).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from pydantic import TypeAdapter

from cloud.foundation.http import Bases, Caller, DataSchema, Host, Route, strong_etag
from cloud.foundation.slice import declared
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.discovery.openapi import RowsDisagree
from cloud.partners.discovery.openapi_schemas import Untitled

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PATH = "/.well-known/schemas/{id}.json"


@dataclass(frozen=True, slots=True)
class SchemaDocument:
    """A published JSON Schema as bytes with its entity tag. Readers need the clearance `secrecy_level`."""

    content: bytes
    etag: str
    secrecy_level: SecrecyLevel


class DataSchemas:
    """The data schemas of this installation. `documents` maps the id of each schema to its document."""

    def __init__(self, schemas: Iterable[DataSchema], rows: Sequence[Route], bases: Bases) -> None:
        """Raises `RowsDisagree` if two schemas have one id or a schema names a route that `rows` does not have."""
        self._schemas = {one.id: one for one in sorted(schemas, key=lambda one: one.id)}
        self._rows = {row.name: row for row in rows}
        self._api = bases[Host.API]
        for one in self._schemas.values():
            unknown = [name for name in one.operations if name not in self._rows]
            if unknown:
                raise RowsDisagree(f"the schema {one.id} names routes that do not exist: {', '.join(unknown)}")
        self.documents: Mapping[str, SchemaDocument] = {one.id: self._document(one) for one in self._schemas.values()}

    def address(self, schema_id: str) -> str:
        """Return the canonical address of a schema."""
        return self._api + PATH.format(id=schema_id)

    def visible(self, caller: Caller, most: SecrecyLevel) -> list[dict[str, Any]]:
        """Return the entries of the schemas up to the level `most`, each with the operations that exist for the
        caller's tenant and organisation. A schema without such an operation is left out."""
        entries = []
        for one in self._schemas.values():
            operations = [name for name in one.operations if _reachable(self._rows[name], caller)]
            if operations and one.secrecy_level <= most:
                entries.append(
                    {
                        "id": one.id,
                        "title": one.title,
                        "secrecy_level": one.secrecy_level.word,
                        "operations": operations,
                        "schema_url": self.address(one.id),
                    }
                )
        return entries

    def _document(self, one: DataSchema) -> SchemaDocument:
        # Validation mode, as in the OpenAPI document: a field with a default may be absent.
        schema = TypeAdapter(one.model).json_schema(ref_template="#/$defs/{model}", schema_generator=Untitled)
        document = {"$schema": DIALECT, "$id": self.address(one.id), **schema, "title": one.title}
        content = orjson.dumps(document)
        return SchemaDocument(content, strong_etag(content), one.secrecy_level)


def declared_schemas() -> list[DataSchema]:
    """Return the data schemas of all slices. Raises `RowsDisagree` if two have the same id."""
    found: dict[str, DataSchema] = {}
    for one in declared():
        for schema in () if one.data_schemas is None else one.load(one.data_schemas):
            if schema.id in found:
                raise RowsDisagree(f"two slices declare the schema {schema.id}")
            found[schema.id] = schema
    return list(found.values())


def _reachable(row: Route, caller: Caller) -> bool:
    """Return whether a route exists for a caller: not if the route needs an organisation and the token has none, and
    not if the route is concealed from apps without its scopes."""
    if row.needs_organization and caller.viewer.organization_id is None:
        return False
    return not (row.concealed and caller.scopes.isdisjoint(row.scopes.names))
