"""The documentation index and the pages at the `type` URIs of problem documents, as HTML and JSON.

The Accept header selects the form; the default is JSON (contract matrix A-009). The pages explain problem types and not
single errors, so they are public and cacheable.
"""

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from cloud.foundation.events import EventType
from cloud.foundation.http import (
    Bases,
    Host,
    Json,
    NotFound,
    Request,
    Response,
    catalogue,
    slug,
    strong_etag,
    title,
)
from cloud.partners.discovery import DENYLIST
from cloud.partners.webhooks import EVENTS, message_sample

_PAGES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=select_autoescape(default=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_PAGES.filters["pretty"] = lambda document: orjson.dumps(document, option=orjson.OPT_INDENT_2).decode()
CACHE_CONTROL = "public, max-age=300"
_STYLE = (Path(__file__).parent / "templates" / "docs.css").read_text()
_POLICY = (
    "default-src 'none'; frame-ancestors 'none'; style-src 'sha256-"
    f"{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)


def wants_html(accept: str | None) -> bool:
    """Return whether the Accept header names HTML. `*/*` does not count as HTML."""
    ranges = [one.partition(";")[0].strip().lower() for one in (accept or "").split(",")]
    return any(one in {"text/html", "application/xhtml+xml"} for one in ranges)


class DocsHandlers:
    """Handlers of the documentation index, the event catalogue and the problem pages."""

    def __init__(self, bases: Bases) -> None:
        self._bases = bases

    async def root(self, _request: Request) -> Response:
        """Redirect from `/` to the documentation index."""
        return Response(302, headers={"Location": f"{self._bases[Host.DOCS]}/api/docs", "Cache-Control": CACHE_CONTROL})

    async def index(self, request: Request) -> Response:
        """Return the documentation index: the hosts, the OpenAPI documents, keys, problems, events and the denylist."""
        api = self._bases[Host.API]
        document = {
            "title": "Argus External API",
            "version": "2026.4.0",
            "hosts": {host.value: self._bases[host] for host in (Host.AUTH, Host.API, Host.SANDBOX)},
            "openapi": [
                {"href": f"{api}/.well-known/openapi.json", "type": "application/json"},
                {"href": f"{api}/.well-known/openapi.yaml", "type": "application/yaml"},
            ],
            "catalogue": f"{api}/.well-known/api-catalog",
            "deprecations": f"{api}/.well-known/deprecations.json",
            "keys": f"{self._bases[Host.AUTH]}/.well-known/jwks.json",
            "problems": f"{api}/problems",
            "events": f"{self._bases[Host.DOCS]}/api/docs/events",
            "denylist": list(DENYLIST),
        }
        return _respond(request, "index.html", document)

    async def events(self, request: Request) -> Response:
        """Return the event catalogue, with the schema and a sample of each event."""
        return _respond(request, "events.html", {"events": [_shown_event(one) for one in EVENTS]})

    async def problems(self, request: Request) -> Response:
        kinds = [self._kinds[name] for name in sorted(self._kinds)]
        return _respond(request, "problems.html", {"problems": kinds})

    async def problem(self, request: Request) -> Response:
        """Return the page of one problem type. Raises `NotFound`."""
        found = self._kinds.get(request.path["slug"])
        if found is None:
            raise NotFound
        return _respond(request, "problem.html", found)

    @cached_property
    def _kinds(self) -> Mapping[str, Mapping[str, Any]]:
        """Return a dict that maps the last part of each `type` URI to its problem type. The first request builds the
        dict, because by then every slice is imported."""
        api = self._bases[Host.API]
        return {
            slug(kind.code): {
                "type": f"{api}/problems/{slug(kind.code)}",
                "code": kind.code,
                "title": title(kind.code),
                "status": kind.status,
                "detail": kind.meaning,
            }
            for kind in catalogue()
        }


def _shown_event(one: EventType) -> dict[str, Any]:
    """Return an event type as JSON, with its schema and a sample message as a receiver gets it."""
    return {
        "name": one.name,
        "version": one.version,
        "description": one.description,
        "scope": one.scope,
        "sent_to_all": one.always,
        "schema": one.schema(),
        "sample": orjson.loads(message_sample(one)),
    }


def _respond(request: Request, page: str, document: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept"}
    if not wants_html(request.headers.get("Accept")):
        response = Json(document, headers=headers)
        response.etag = strong_etag(response.body)
        return response
    html = _PAGES.get_template(page).render(document, style=_STYLE).encode()
    headers["Content-Security-Policy"] = _POLICY
    return Response(200, html, "text/html; charset=utf-8", headers=headers, etag=strong_etag(html))
