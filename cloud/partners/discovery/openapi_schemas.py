"""JSON Schemas of the bodies, queries and responses of routes, collected once so that each model is one component.

pydantic generates the schemas; this module only collects and names them. If two models in different modules have the
same name, pydantic adds their module paths to the names, which would make these paths public. Such a name raises
ValueError when the document is built.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema
from pydantic.json_schema import JsonSchemaMode as Mode

from cloud.foundation.http import Route

REFERENCE = "#/components/schemas/{model}"

Role = Literal["body", "query", "response"]


class Untitled(GenerateJsonSchema):
    """Generator of schemas without titles of fields, which would only repeat their names. Limited integers have
    64 bits."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def int_schema(self, schema: Any) -> dict[str, Any]:
        made: dict[str, Any] = super().int_schema(schema)
        # A number without a maximum may be larger: a page size counts as the greatest one then.
        return {**made, "format": "int64"} if "maximum" in made else made


class Schemas:
    """The schemas of the given routes: `of(row, role)` returns one of them, and `components` has the shared models."""

    def __init__(self, rows: Sequence[Route]) -> None:
        inputs: list[tuple[tuple[int, Role], Mode, TypeAdapter[Any]]] = []
        for number, row in enumerate(rows):
            if row.body is not None:
                inputs.append(((number, "body"), "validation", TypeAdapter(row.body)))
            if row.query is not None:
                inputs.append(((number, "query"), "validation", TypeAdapter(row.query)))
            if row.response is not None:
                # Validation mode for responses too: a field with a default may be absent, so the contract promises
                # only the required fields.
                inputs.append(((number, "response"), "validation", TypeAdapter(row.response)))
        found, shared = TypeAdapter.json_schemas(inputs, ref_template=REFERENCE, schema_generator=Untitled)
        self.components: Mapping[str, Any] = shared.get("$defs", {})
        lengthened = sorted(name for name in self.components if "__" in name)
        if lengthened:
            raise ValueError(f"two models have the same name, give one another: {', '.join(lengthened)}")
        self._places = {key: schema for (key, _), schema in found.items()}
        self._numbers = {id(row): number for number, row in enumerate(rows)}

    def of(self, row: Route, role: Role) -> dict[str, Any]:
        """Return the schema of a route's body, query or response; most often a reference to a component."""
        schema: dict[str, Any] = self._places[self._numbers[id(row)], role]
        return schema

    def resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the component that `schema` refers to, or `schema` itself if it is not a reference."""
        reference = schema.get("$ref")
        if reference is None:
            return schema
        component: Mapping[str, Any] = self.components[reference.rpartition("/")[2]]
        return component
