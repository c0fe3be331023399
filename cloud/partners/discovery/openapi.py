"""The OpenAPI 3.1 document, generated from the routes: every public route is described once.

The document depends only on the routes, the public base URLs and the scope catalogue. Two checks exclude internal
routes: a route must be declared `in_contract`, and its host and path must pass `public_contract_filter`. A path that is
not on the api host names its own server (contract matrix A-137).
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cloud.foundation.http import DOTTED, IDENTIFIER, Access, Bases, Host, Route, catalogue, error_codes, oauth_code
from cloud.foundation.slice import declared
from cloud.partners.discovery import shared_parts
from cloud.partners.discovery.openapi_schemas import Schemas
from cloud.partners.discovery.public_contract_filter import is_public

_PARAMETER = re.compile(r"([^/{]*)\{([A-Za-z_]+)\}([^/{]*)")
_AUTH_MODES = {
    Access.PUBLIC: "Public",
    Access.OPTIONAL: "Public",
    Access.CLIENT: "OAuth auth code or client credentials",
    Access.TOKEN: "Bearer token",
}
"""The contract's names for the authentication of a caller (contract C-008)."""
_BODILESS = {204, 304}


class RowsDisagree(ValueError):
    """The rows cannot be described together; says which and why."""


def public_rows(rows: Sequence[Route]) -> tuple[Route, ...]:
    """Return the routes of the public contract: declared `in_contract` and allowed by the filter."""
    return tuple(row for row in rows if row.in_contract and is_public(row.hosts, row.path))


def disagreements(rows: Sequence[Route]) -> list[str]:
    """Return a line for each route that is declared `in_contract` but denied by the public contract filter, or the
    reverse. A test requires that there is no such route."""
    return [
        f"{row.name}: in_contract={row.in_contract}, the filter says {not row.in_contract}"
        for row in rows
        if row.in_contract != is_public(row.hosts, row.path)
    ]


def contract_document(rows: Sequence[Route], bases: Bases, scopes: Mapping[str, str]) -> dict[str, Any]:
    """Return the OpenAPI document as plain JSON values. `scopes` maps the name of each scope to its description. Raises
    `RowsDisagree` if routes contradict each other or need a scope that `scopes` does not have."""
    shown = public_rows(rows)
    schemas = Schemas(shown)
    statuses = {kind.code: kind.status for kind in catalogue()}
    paths: dict[str, dict[str, Any]] = {}
    places: dict[str, tuple[Host, ...]] = {}
    for row in shown:
        if places.setdefault(row.path, row.hosts) != row.hosts:
            raise RowsDisagree(f"{row.path} is on different hosts for different methods")
        item = paths.setdefault(row.path, _path_item(row, bases))
        if row.method.lower() in item:
            raise RowsDisagree(f"{row.name} has two rows")
        item[row.method.lower()] = _operation(row, schemas, _problem_codes(row, statuses))
    used = {row.tag for row in shown}
    document = {
        "openapi": shared_parts.OPENAPI_VERSION,
        "info": {
            "title": shared_parts.TITLE,
            "version": shared_parts.CONTRACT_VERSION,
            "summary": "Devices, encounters, events and evidence of an ambulance service",
            "description": shared_parts.DESCRIPTION,
            "contact": {"name": "Documentation", "url": f"{bases[Host.DOCS]}/api/docs"},
            "license": shared_parts.LICENSE,
            "x-contract": shared_parts.CONTRACT_LABEL,
        },
        "externalDocs": {"url": f"{bases[Host.DOCS]}/api/docs"},
        "servers": [{"url": bases[Host.API], "x-internal": False}],
        "tags": [{"name": name, "description": text} for name, text in _tags().items() if name in used],
        "paths": paths,
        "components": {
            "schemas": {
                **dict(sorted(schemas.components.items())),
                "Problem": shared_parts.PROBLEM_SCHEMA,
                "OAuthError": shared_parts.OAUTH_ERROR_SCHEMA,
            },
            "responses": {f"Refused{status}": _refusal(status, text) for status, text in shared_parts.REFUSALS.items()},
            "headers": shared_parts.HEADERS,
            "parameters": shared_parts.PARAMETERS,
            "securitySchemes": _security_schemes(bases, scopes, shown),
        },
    }
    return _without_unused(document)


def _tags() -> Mapping[str, str]:
    return {name: text for one in declared() for name, text in one.tags.items()}


def _without_unused(document: dict[str, Any]) -> dict[str, Any]:
    """Return the document with only the components that are referenced, directly or through another component."""
    components: dict[str, dict[str, Any]] = document["components"]
    used: set[tuple[str, str]] = set()
    waiting: list[Any] = [document["paths"]]
    while waiting:
        found = waiting.pop()
        if isinstance(found, list):
            waiting += found
        elif isinstance(found, dict):
            waiting += found.values()
            reference = found.get("$ref")
            if isinstance(reference, str) and reference.startswith("#/components/"):
                _, _, kind, name = reference.split("/")
                if (kind, name) not in used:
                    used.add((kind, name))
                    waiting.append(components[kind][name])
    operations = [part for item in document["paths"].values() for part in item.values() if isinstance(part, dict)]
    used |= {("securitySchemes", name) for one in operations for way in one["security"] for name in way}
    kept = {
        kind: {name: part for name, part in parts.items() if (kind, name) in used} for kind, parts in components.items()
    }
    return {**document, "components": kept}


def _path_item(row: Route, bases: Bases) -> dict[str, Any]:
    item: dict[str, Any] = {}
    if row.hosts != (Host.API,):
        item["servers"] = [{"url": bases[host], "x-internal": False} for host in row.hosts]
    item["parameters"] = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _path_schema(row, name, is_whole=before == after == ""),
        }
        for before, name, after in _PARAMETER.findall(row.path)
    ] + [_part("parameters", "traceparent")]
    return item


def _path_schema(row: Route, name: str, *, is_whole: bool) -> dict[str, Any]:
    """Return the schema of a path parameter. `is_whole`: it is a whole segment of the path. A text of another form than
    that of an id gets 404, as an unknown id does."""
    form = IDENTIFIER if is_whole else DOTTED
    length_max = int(form.pattern.partition("{1,")[2].rstrip("}"))
    pattern = row.path_forms.get(name, form.pattern)
    return {"type": "string", "minLength": 1, "maxLength": length_max, "pattern": f"^{pattern}$"}


def _part(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def operation_id(row: Route) -> str:
    """Return the declared operation id of a route, else its method and path as one word: `getV1JobsById`."""
    if row.operation_id:
        return row.operation_id
    words = re.findall(r"\{?[A-Za-z0-9]+", row.path.replace("_", " "))
    named = [f"By{word[1:2].upper()}{word[2:]}" if word[0] == "{" else word[:1].upper() + word[1:] for word in words]
    return row.method.lower() + "".join(named)


def _operation(row: Route, schemas: Schemas, codes: Mapping[int, list[str]]) -> dict[str, Any]:
    operation: dict[str, Any] = {"operationId": operation_id(row), "tags": [row.tag], "summary": row.summary}
    if row.description:
        operation["description"] = row.description
    operation |= {
        "x-auth": _AUTH_MODES[row.scopes.access],
        "x-audience": row.audience.value,
        "x-stability": row.stability.value,
        "x-added-in": row.added_in,
    }
    if row.deprecated_on is not None:
        operation["deprecated"] = True
        operation["x-deprecated-on"] = row.deprecated_on.isoformat()
    if row.sunset_on is not None:
        operation["x-sunset-on"] = row.sunset_on.isoformat()
    operation["security"] = _security(row)
    parameters = _parameters(row, schemas)
    if parameters:
        operation["parameters"] = parameters
    if row.body is not None:
        operation["requestBody"] = {
            "required": not row.body_optional,
            "content": {row.body_kind.value: _content(schemas.of(row, "body"), row.request_example)},
        }
    operation["responses"] = _responses(row, schemas, codes)
    if codes:
        operation["x-problem-codes"] = {str(status): found for status, found in codes.items()}
    return operation


def _problem_codes(row: Route, statuses: Mapping[str, int]) -> dict[int, list[str]]:
    """Return the error codes of a route by status. `statuses` maps the code of each public problem type to its status.
    An OAuth endpoint names each refusal in the codes of RFC 6749, and one with pages has its codes in the redirect to
    the app. Raises `RowsDisagree` for a code without a problem type."""
    found: dict[int, list[str]] = {}
    for code in sorted(error_codes(row)):
        if code not in statuses:
            raise RowsDisagree(f"{row.name} lists the error {code}, which is no public problem type")
        found.setdefault(302 if row.refusal_page is not None else statuses[code], []).append(code)
    if row.oauth_errors:
        for status in _error_statuses(row, found):
            found.setdefault(status, [oauth_code(status)])
    return dict(sorted(found.items()))


def _security(row: Route) -> list[dict[str, list[str]]]:
    match row.scopes.access:
        case Access.PUBLIC:
            return []
        case Access.OPTIONAL:
            return [{}, {"oauth2": []}]
        case Access.CLIENT:
            # Basic, or the same credentials in the form (RFC 6749 §2.3.1).
            return [{"clientBasic": []}, {}]
        case Access.TOKEN:
            return [{"oauth2": [name]} for name in sorted(row.scopes.names)] or [{"oauth2": []}]


def _security_schemes(bases: Bases, scopes: Mapping[str, str], rows: Sequence[Route]) -> dict[str, Any]:
    asked = {name for row in rows for name in row.scopes.names}
    unknown = sorted(asked - set(scopes))
    if unknown:
        raise RowsDisagree(f"rows need scopes that the catalogue does not have: {', '.join(unknown)}")
    named = {name: scopes[name] for name in sorted(asked)}
    return {
        "oauth2": {
            "type": "oauth2",
            "description": "A JWT (RFC 9068), checked as RFC8725 recommends and sent as `Authorization: Bearer`. One "
            "of the alternative scopes suffices. Use the authorization code flow with PKCE to act for a person.",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": f"{bases[Host.AUTH]}/v1/oauth/token",
                    "scopes": named,
                },
                "authorizationCode": {
                    "authorizationUrl": f"{bases[Host.AUTH]}/v1/oauth/authorize",
                    "tokenUrl": f"{bases[Host.AUTH]}/v1/oauth/token",
                    "scopes": named,
                },
            },
        },
        "clientBasic": {
            "type": "http",
            "scheme": "basic",
            "description": "Client id and secret (RFC 6749, section 2.3.1). The form may carry them instead.",
        },
    }


def _parameters(row: Route, schemas: Schemas) -> list[dict[str, Any]]:
    parameters: list[dict[str, Any]] = []
    if row.query is not None:
        model = schemas.resolved(schemas.of(row, "query"))
        required = set(model.get("required", ()))
        for name, schema in model.get("properties", {}).items():
            parameter = {"name": name, "in": "query", "required": name in required, "schema": _given(schema)}
            if "description" in schema:
                parameter["description"] = schema["description"]
            parameters.append(parameter)
    if row.tenant_header:
        parameters.append(_part("parameters", "X-Tenant-ID"))
    if row.idempotent:
        parameters.append(_part("parameters", "Idempotency-Key"))
    if 304 in row.responses:
        parameters.append(_part("parameters", "If-None-Match"))
    if 412 in row.responses:
        parameters.append(_part("parameters", "If-Match"))
    return parameters


def _given(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of a query parameter without `null`, which in our models means an absent parameter."""
    kept = {key: value for key, value in schema.items() if key != "description" and (key, value) != ("default", None)}
    choices = [choice for choice in kept.pop("anyOf", []) if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**kept, **choices[0]}
    return {**kept, **({"anyOf": choices} if choices else {})}


def _content(schema: Mapping[str, Any], example: Any) -> dict[str, Any]:
    return {"schema": schema} if example is None else {"schema": schema, "example": example}


def _responses(row: Route, schemas: Schemas, codes: Iterable[int]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    successes = {status: text for status, text in row.responses.items() if status < 400} or {200: "Success."}
    for status, text in sorted(successes.items()):
        responses[str(status)] = _success(row, status, text, schemas)
    described = {status: text for status, text in row.responses.items() if status >= 400}
    for status in _error_statuses(row, codes):
        own = row.oauth_errors or row.refusal_page is not None or bool(row.error_forms)
        if own or status in described or status not in shared_parts.REFUSALS:
            text = described.get(status) or shared_parts.REFUSALS[status]
            responses[str(status)] = _refusal(status, text, row)
        else:
            responses[str(status)] = _part("responses", f"Refused{status}")
    responses["default"] = _refusal(0, "Any other error.", row)
    return responses


def _error_statuses(row: Route, codes: Iterable[int]) -> list[int]:
    """Return the error statuses of a route: those of its row, of its access, and of its error codes."""
    return sorted(status for status in {*row.responses, *_possible_refusals(row), *codes} if status >= 400)


def _possible_refusals(row: Route) -> set[int]:
    """Return the error statuses that a route can have because of its access, path, body and idempotency."""
    statuses = {400, 429, 503}
    if row.scopes.access is Access.TOKEN:
        statuses |= {401, 403}
    if row.scopes.access is Access.CLIENT:
        statuses |= {401}
    if _PARAMETER.search(row.path):
        statuses |= {404}
    if row.body is not None:
        statuses |= {413, 415}
    if row.idempotent:
        statuses |= {409, 422}
    return statuses


def _success(row: Route, status: int, text: str, schemas: Schemas) -> dict[str, Any]:
    headers = _trace_headers()
    if status == 201:
        headers["Location"] = _part("headers", "Location")
    if row.idempotent:
        for name in ("Idempotency-Key", "Idempotency-Replayed"):
            headers[name] = _part("headers", name)
    if 304 in row.responses or 412 in row.responses:
        headers["ETag"] = _part("headers", "ETag")
    response: dict[str, Any] = {"description": text, "headers": headers}
    if row.response is None or status in _BODILESS:
        if status not in _BODILESS and row.response_media_type != "application/json":
            kind = "string" if row.response_media_type == "text/html" else "object"
            response["content"] = {row.response_media_type: _content({"type": kind}, row.response_example)}
        return response
    schema = schemas.of(row, "response")
    if schema.get("type") == "array":
        headers["Link"] = _part("headers", "Link")
    response["content"] = {row.response_media_type: _content(schema, row.response_example)}
    response["content"] |= {media_type: {"schema": other} for media_type, other in row.other_forms.items()}
    return response


def _trace_headers() -> dict[str, Any]:
    return {name: _part("headers", name) for name in shared_parts.EVERY_RESPONSE}


def _refusal(status: int, text: str, row: Route | None = None) -> dict[str, Any]:
    """Return the OpenAPI response of an error status. `row` None: the response that all routes share."""
    headers = _trace_headers()
    for name in shared_parts.REFUSAL_HEADERS.get(status, ()):
        headers[name] = _part("headers", name)
    if row is not None and row.refusal_page is not None:
        return {"description": text, "headers": headers, "content": {"text/html": {"schema": {"type": "string"}}}}
    oauth = row is not None and row.oauth_errors
    kind, schema = ("application/json", "OAuthError") if oauth else ("application/problem+json", "Problem")
    content: dict[str, Any] = {kind: {"schema": _part("schemas", schema)}}
    if row is not None:
        content |= {media_type: {"schema": dict(form)} for media_type, form in row.error_forms.items()}
    return {"description": text, "headers": headers, "content": content}
