"""The operations of the OpenAPI document as values for pages: one `Operation` for each, in the document's order.

The document is generated from the routes, and the pages are rendered from the document, so an operation is described
once. On-request areas are not in the document, and so on no page.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

_METHODS = ("get", "post", "put", "patch", "delete")
DEPTH_MAX = 4
"""Levels of a body that a page lists. A schema may contain itself."""


@dataclass(frozen=True, slots=True)
class Field:
    """A member of a body. `name` has the path to it: `records[].signature`."""

    name: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter. `place` is `path`, `query` or `header`."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True, slots=True)
class Body:
    """The body of a request. `example` is a JSON value; None if the document has none."""

    media_type: str
    is_required: bool
    fields: Sequence[Field]
    example: Any


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. `status` is the number, or `default`. `example` is a JSON value; None if there is none. `codes` are
    the codes of an error's problem types."""

    status: str
    description: str
    media_types: Sequence[str]
    fields: Sequence[Field]
    example: Any
    codes: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation of the public contract. `bases` are the addresses of its hosts, `api_url` and `auth_url` those of
    the two hosts of a client; `scopes` are alternatives."""

    id: str
    method: str
    path: str
    bases: Sequence[str]
    api_url: str
    auth_url: str
    tag: str
    summary: str
    description: str
    audience: str
    stability: str
    auth: str
    added_in: str
    deprecated_on: str | None
    sunset_on: str | None
    scopes: Sequence[str]
    parameters: Sequence[Parameter]
    body: Body | None
    replies: Sequence[Reply]
    errors: Sequence[Reply]

    @property
    def needs_token(self) -> bool:
        return self.auth == "Bearer token"

    @property
    def pointer(self) -> str:
        """The JSON Pointer of the operation in the OpenAPI document (RFC 6901)."""
        return f"/paths/{self.path.replace('~', '~0').replace('/', '~1')}/{self.method.lower()}"


@dataclass(frozen=True, slots=True)
class Reference:
    """The operations by their id, and the description of each tag, in the document's order."""

    title: str
    version: str
    description: str
    tags: Mapping[str, str]
    operations: Mapping[str, Operation]

    def of_tag(self, tag: str) -> list[Operation]:
        return [one for one in self.operations.values() if one.tag == tag]


def read_reference(document: Mapping[str, Any]) -> Reference:
    """Return the operations of an OpenAPI document that `contract_document` has made."""
    reader = _Reader(document)
    found = [
        reader.operation(path, item, method)
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]
    tags = {tag["name"]: tag["description"] for tag in document["tags"]}
    info = document["info"]
    # The pages list the operations of a tag together.
    ordered = sorted(found, key=lambda one: list(tags).index(one.tag))
    return Reference(info["title"], info["version"], info["description"], tags, {one.id: one for one in ordered})


class _Reader:
    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def operation(self, path: str, item: Mapping[str, Any], method: str) -> Operation:
        one = item[method]
        given = [self._resolved(each) for each in (*item.get("parameters", ()), *one.get("parameters", ()))]
        codes = one.get("x-problem-codes", {})
        replies = [
            self._reply(status, self._resolved(reply), codes.get(status, ()))
            for status, reply in one["responses"].items()
        ]
        return Operation(
            id=one["operationId"],
            method=method.upper(),
            path=path,
            api_url=self._document["servers"][0]["url"],
            auth_url=self._auth_url(),
            bases=[server["url"] for server in item.get("servers", self._document["servers"])],
            tag=one["tags"][0],
            summary=one["summary"],
            description=one.get("description", ""),
            audience=one["x-audience"],
            stability=one["x-stability"],
            auth=one["x-auth"],
            added_in=one["x-added-in"],
            deprecated_on=one.get("x-deprecated-on"),
            sunset_on=one.get("x-sunset-on"),
            scopes=[name for way in one["security"] for name in way.get("oauth2", ())],
            parameters=[self._parameter(each) for each in given],
            body=self._body(one["requestBody"]) if "requestBody" in one else None,
            replies=[each for each in replies if each.status < "4"],
            errors=[each for each in replies if each.status >= "4" or each.codes],
        )

    def _auth_url(self) -> str:
        """Return the address of the auth host, which issues the tokens."""
        flows = self._document["components"]["securitySchemes"]["oauth2"]["flows"]
        parts = urlsplit(flows["clientCredentials"]["tokenUrl"])
        return f"{parts.scheme}://{parts.netloc}"

    def _resolved(self, part: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the part itself, or the component to which it refers."""
        while "$ref" in part:
            found: Any = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part

    def _parameter(self, one: Mapping[str, Any]) -> Parameter:
        return Parameter(
            one["name"], one["in"], self._type(one["schema"]), one.get("required", False), one.get("description", "")
        )

    def _body(self, body: Mapping[str, Any]) -> Body:
        (media_type, content), *_ = body["content"].items()
        fields = list(self._fields(content["schema"]))
        return Body(media_type, body.get("required", False), fields, content.get("example"))

    def _reply(self, status: str, reply: Mapping[str, Any], codes: Sequence[str]) -> Reply:
        content = reply.get("content", {})
        first: Mapping[str, Any] = next(iter(content.values()), {})
        fields = list(self._fields(first.get("schema", {})))
        return Reply(status, reply["description"], list(content), fields, first.get("example"), codes)

    def _fields(self, schema: Mapping[str, Any], prefix: str = "", depth: int = 1) -> Iterator[Field]:
        """Yield the members of an object, or of the items of an array, and of the objects inside."""
        shape = self._shape(schema)
        if shape.get("type") == "array":
            yield from self._fields(shape.get("items", {}), f"{prefix}[]", depth)
            return
        required = set(shape.get("required", ()))
        for name, member in shape.get("properties", {}).items():
            path = f"{prefix}.{name}" if prefix else name
            about = member.get("description") or self._shape(member).get("description", "")
            yield Field(path, self._type(member), name in required, about)
            if depth < DEPTH_MAX:
                yield from self._fields(member, path, depth + 1)

    def _shape(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the schema itself, resolved; of alternatives, the first one that is not null."""
        found = self._resolved(schema)
        choices = found.get("anyOf") or found.get("oneOf") or found.get("allOf")
        if not choices:
            return found
        return self._shape(next((one for one in choices if one.get("type") != "null"), choices[0]))

    def _type(self, schema: Mapping[str, Any]) -> str:
        found = self._resolved(schema)
        choices = found.get("anyOf") or found.get("oneOf")
        if choices:
            return " | ".join(dict.fromkeys(self._type(one) for one in choices))
        if "enum" in found:
            return " | ".join(f'"{one}"' if isinstance(one, str) else str(one) for one in found["enum"])
        if "const" in found:
            return f'"{found["const"]}"'
        kind = found.get("type", "any")
        if kind == "array":
            return f"{self._type(found.get('items', {}))}[]"
        if isinstance(kind, list):
            return " | ".join(kind)
        form = found.get("format")
        return f"{kind} ({form})" if form else str(kind)
