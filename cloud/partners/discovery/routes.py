"""Well-known documents about this interface (RFC 8615)."""

from typing import Any

from cloud.foundation.http import PUBLIC, Handler, Host, Parts, RateClass, Route
from cloud.partners.discovery.handlers import DiscoveryHandlers

_RESPONSES = {200: "The document.", 304: "Not modified."}
_EXAMPLE = {
    "openapi": "3.1.0",
    "info": {"title": "Argus External API", "version": "2026.4.0"},
    "paths": {"/v1/jobs": {"...": "..."}},
}


def routes(parts: Parts) -> tuple[Route, ...]:
    """Return the routes. The sandbox host has them too, because its well-known documents are public as well."""
    handlers = parts.shared(DiscoveryHandlers.of)

    def row(form: str, handler: Handler, description: str) -> Route:
        return Route(
            method="GET",
            path=f"/.well-known/openapi.{form.lower()}",
            handler=handler,
            host=(Host.API, Host.SANDBOX),
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            open_to_browsers=True,
            response=dict[str, Any],
            response_media_type=f"application/{form.lower()}",
            responses=_RESPONSES,
            operation_id=f"getOpenApi{form.capitalize()}",
            summary=f"Fetch the OpenAPI well-known descriptor ({form})",
            description=description,
            tag="Discovery",
            response_example=_EXAMPLE,
        )

    return (
        row("JSON", handlers.as_json, "This document. The YAML form has the same content."),
        row("YAML", handlers.as_yaml, "The same content as the JSON form."),
    )
