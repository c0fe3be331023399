"""Well-known documents about this interface (RFC 8615)."""

from typing import Any

from cloud.foundation.http import PUBLIC, Host, Parts, RateClass, Route
from cloud.partners.discovery.handlers import DiscoveryHandlers

_RESPONSES = {200: "The document.", 304: "Not modified."}
_EXAMPLE = {
    "openapi": "3.1.0",
    "info": {"title": "Argus External API", "version": "2026.4.0"},
    "paths": {"/v1/jobs": {"...": "..."}},
}


def routes(parts: Parts) -> tuple[Route, ...]:
    """Serve them on the sandbox host too, whose well-known documents are as public."""
    handlers = parts.shared(DiscoveryHandlers.of)
    hosts = (Host.API, Host.SANDBOX)
    return (
        Route(
            method="GET",
            path="/.well-known/openapi.json",
            handler=handlers.as_json,
            host=hosts,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            open_to_browsers=True,
            response=dict[str, Any],
            responses=_RESPONSES,
            operation_id="getOpenApiJson",
            summary="Fetch the OpenAPI well-known descriptor (JSON)",
            description="This document. The YAML form has the same content.",
            tag="Discovery",
            response_example=_EXAMPLE,
        ),
        Route(
            method="GET",
            path="/.well-known/openapi.yaml",
            handler=handlers.as_yaml,
            host=hosts,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            open_to_browsers=True,
            response=dict[str, Any],
            response_media_type="application/yaml",
            responses=_RESPONSES,
            operation_id="getOpenApiYaml",
            summary="Fetch the OpenAPI well-known descriptor (YAML)",
            description="The same content as the JSON form.",
            tag="Discovery",
            response_example=_EXAMPLE,
        ),
    )
