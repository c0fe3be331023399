"""Well-known documents about this interface (RFC 8615), and the list of data schemas."""

from functools import partial
from typing import Any

from cloud.foundation.http import PUBLIC, TOKEN_OPTIONAL, Host, Parts, RateClass, Route, Scopes
from cloud.partners.discovery import api_catalog, data_schemas, deprecations
from cloud.partners.discovery.handlers import READ, DiscoveryHandlers
from cloud.partners.discovery.schemas import DataSchemaList, SchemaQuery

_RESPONSES = {200: "The document.", 304: "Not modified."}
_EXAMPLE = {
    "openapi": "3.1.0",
    "info": {"title": "Argus External API", "version": "2026.4.0"},
    "paths": {"/v1/jobs": {"...": "..."}},
}
_CATALOGUE = {
    "linkset": [
        {
            "anchor": "https://api.knogin.com/",
            "service-desc": [
                {"href": "https://api.knogin.com/.well-known/openapi.json", "type": "application/json"},
                {"href": "https://api.knogin.com/.well-known/openapi.yaml", "type": "application/yaml"},
            ],
            "service-doc": [{"href": "https://knogin.com/en/docs/api-reference", "type": "text/html"}],
            "service-meta": [
                {
                    "href": "https://api.knogin.com/.well-known/provenance-keys/ml-dsa-65",
                    "type": "application/json",
                    "rel": "provenance-verify-keys",
                }
            ],
        }
    ]
}
_LISTED = {
    "tenant_id": "tnt_123",
    "schemas": [
        {
            "id": "argus.profile.v1",
            "title": "Profile",
            "secrecy_level": "standard",
            "operations": ["GET /v1/profiles/{id}", "POST /v1/profiles/{id}/enrich"],
            "schema_url": "https://api.knogin.com/.well-known/schemas/argus.profile.v1.json",
        }
    ],
    "federated_sources": [],
}
# The sandbox host has them too, because its well-known documents are public as well.
_document = partial(
    Route,
    method="GET",
    host=(Host.API, Host.SANDBOX),
    scopes=PUBLIC,
    rate_class=RateClass.PUBLIC,
    open_to_browsers=True,
    response=dict[str, Any],
    responses=_RESPONSES,
    tag="Discovery",
)


def routes(parts: Parts) -> tuple[Route, ...]:
    """Return the routes."""
    h = parts.shared(DiscoveryHandlers.of)
    return (*_openapi(h), *_found_by_tools(h), *_data_schemas(h))


def _openapi(h: DiscoveryHandlers) -> tuple[Route, ...]:
    return (
        _document(
            path="/.well-known/openapi.json",
            handler=h.as_json,
            operation_id="getOpenApiJson",
            summary="Fetch the OpenAPI well-known descriptor (JSON)",
            description="This document. The YAML form has the same content.",
            response_example=_EXAMPLE,
        ),
        _document(
            path="/.well-known/openapi.yaml",
            handler=h.as_yaml,
            response_media_type="application/yaml",
            operation_id="getOpenApiYaml",
            summary="Fetch the OpenAPI well-known descriptor (YAML)",
            description="The same content as the JSON form.",
            response_example=_EXAMPLE,
        ),
    )


def _found_by_tools(h: DiscoveryHandlers) -> tuple[Route, ...]:
    return (
        _document(
            path=api_catalog.PATH,
            handler=h.api_catalog,
            response_media_type="application/linkset+json",
            operation_id="getApiCatalog",
            summary="Fetch the API catalog link-set",
            description="Links to the documents about this API and to its endpoints (RFC 9727). The response also has "
            'the header `Link` with `rel="api-catalog"`.',
            response_example=_CATALOGUE,
        ),
        _document(
            path=deprecations.PATH,
            handler=h.deprecations,
            in_contract=False,
            operation_id="getDeprecations",
            summary="List the deprecated operations",
            description="Each deprecated operation with the day from which it is deprecated, the day from which it "
            "responds with 410, and its successor.",
        ),
    )


def _data_schemas(h: DiscoveryHandlers) -> tuple[Route, ...]:
    return (
        _document(
            path=data_schemas.PATH,
            handler=h.data_schema,
            scopes=TOKEN_OPTIONAL,
            response_media_type="application/schema+json",
            responses={**_RESPONSES, 404: "No such schema, or one above the clearance of the caller."},
            operation_id="getDataSchema",
            summary="Fetch a data schema",
            description="A JSON Schema (draft 2020-12) that refers to no other document. A schema of the level "
            f"`standard` is public; any other needs a token with the scope `{READ}` and the clearance.",
        ),
        Route(
            method="GET",
            path="/v1/discovery/data-schemas",
            handler=h.data_schemas,
            host=Host.API,
            scopes=Scopes.any_of(READ),
            query=SchemaQuery,
            response=DataSchemaList,
            responses={200: "The schemas."},
            operation_id="listDataSchemas",
            summary="List visible data schemas for the caller",
            description="The JSON Schemas of the objects that the caller's tenant, organisation and clearance can "
            "reach. Each call is recorded in the audit trail.",
            tag="Discovery",
            response_example=_LISTED,
        ),
    )
