"""The documentation's pages in two languages, the index for programs, and the pages at the `type` URIs of problem
documents.

Where an address has two forms, HTML and JSON, the Accept header selects one; the default is JSON (contract matrix
A-009). The language of such a page is that of the parameter `language`, or the browser's. All of them explain the
interface and nothing of a caller, so they are public and cacheable.
"""

from collections.abc import Mapping
from dataclasses import asdict
from functools import cached_property
from typing import Any

import orjson
from multidict import CIMultiDictProxy

from cloud.foundation.errors import DomainError
from cloud.foundation.events import EventType
from cloud.foundation.http import (
    Bases,
    Handler,
    Host,
    Json,
    NotFound,
    Parts,
    RefusalPage,
    Request,
    Response,
    catalogue,
    slug,
    strong_etag,
    title,
)
from cloud.foundation.pages import Language, language_of
from cloud.partners.discovery import DENYLIST, DiscoveryHandlers
from cloud.partners.docs.schemas import LanguageQuery, SearchQuery
from cloud.partners.docs.site import POLICY, DocsSite, render_document
from cloud.partners.webhooks import EVENTS, message_sample

CACHE_CONTROL = "public, max-age=300"
_HTML = "text/html; charset=utf-8"


def wants_html(accept: str | None) -> bool:
    """Return whether the Accept header names HTML. `*/*` does not count as HTML."""
    ranges = [one.partition(";")[0].strip().lower() for one in (accept or "").split(",")]
    return any(one in {"text/html", "application/xhtml+xml"} for one in ranges)


class SiteHandlers:
    """Handlers of the pages for people."""

    def __init__(self, site: DocsSite, bases: Bases) -> None:
        self._site, self._bases = site, bases

    async def root(self, request: Request) -> Response:
        """Redirect from `/` of any host: a browser to the documentation in its language, a program to the index."""
        path = f"/{language_of(request.headers).value}/docs" if _is_for_people(request) else "/api/docs"
        headers = {"Cache-Control": CACHE_CONTROL, "Vary": "Accept, Accept-Language"}
        return Response(302, headers={"Location": self._bases[Host.DOCS] + path, **headers})

    def page(self, language: Language, kind: str) -> Handler:
        """Return the handler of one kind of page in one language. The handler raises `NotFound`."""

        async def respond(request: Request) -> Response:
            found = await self._site.page(language, kind, request.path.get("name", ""))
            return Response(200, found.html, _HTML, headers=_headers(language), etag=found.etag)

        return respond

    def absent(self, language: Language | None = None) -> RefusalPage:
        """Return what makes the page for an address that does not exist. `language` is that of the address; None: the
        reader's. A program, and any other refusal, gets the problem document."""

        def respond(error: DomainError, headers: CIMultiDictProxy[str]) -> Response | None:
            if not isinstance(error, NotFound) or not wants_html(headers.get("Accept")):
                return None
            shown = language or language_of(headers)
            html = render_document("absent.html", shown, {}, self._bases[Host.DOCS])
            return Response(404, html, _HTML, headers={**_headers(shown), **_ABSENT})

        return respond

    def search(self, language: Language) -> Handler:
        """Return the handler of the search in one language, which returns a page or, for the script, JSON."""

        async def respond(request: Request) -> Response:
            query = request.query
            assert isinstance(query, SearchQuery)
            if not _is_for_people(request):
                found = await self._site.find(language, query.q)
                return Json({"results": [asdict(entry) for entry in found]}, headers=_VARIES)
            html = await self._site.results_page(language, query.q)
            return Response(200, html, _HTML, headers={**_headers(language), **_VARIES})

        return respond


class DocsHandlers:
    """Handlers of the documentation index, the event catalogue and the problem pages."""

    def __init__(self, site: DocsSite, bases: Bases) -> None:
        self._site, self._bases = site, bases

    async def index(self, request: Request) -> Response:
        """Return the documentation index: the hosts, the machine-readable documents, the operations with their samples,
        the guides, the on-request areas and the denylist."""
        api, docs = self._bases[Host.API], self._bases[Host.DOCS]
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
            "events": f"{docs}/api/docs/events",
            "reference": {one.value: f"{docs}/{one.value}/docs/api-reference" for one in Language},
            "denylist": list(DENYLIST),
            **await self._site.index(),
        }
        return self._respond(request, "index.html", document)

    async def events(self, request: Request) -> Response:
        """Return the event catalogue, with the schema and a sample of each event."""
        return self._respond(request, "events.html", {"events": [_shown_event(one) for one in EVENTS]})

    async def problems(self, request: Request) -> Response:
        kinds = [self._kinds[name] for name in sorted(self._kinds)]
        return self._respond(request, "problems.html", {"problems": kinds})

    async def problem(self, request: Request) -> Response:
        """Return the page of one problem type. Raises `NotFound`."""
        found = self._kinds.get(request.path["slug"])
        if found is None:
            raise NotFound
        return self._respond(request, "problem.html", found)

    def _respond(self, request: Request, template: str, document: Mapping[str, Any]) -> Response:
        """Return a document as JSON, or as a page in the language of the reader."""
        varies = {"Vary": "Accept, Accept-Language"}
        if not _is_for_people(request):
            response = Json(document, headers={"Cache-Control": CACHE_CONTROL, **varies})
            response.etag = strong_etag(response.body)
            return response
        query = request.query
        assert isinstance(query, LanguageQuery)
        language = query.language or language_of(request.headers)
        html = render_document(template, language, document, self._bases[Host.DOCS])
        return Response(200, html, _HTML, headers={**_headers(language), **varies}, etag=strong_etag(html))

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


def site_of(parts: Parts) -> DocsSite:
    """Return the pages. The OpenAPI document exists when the first of them is requested."""
    documents = parts.shared(DiscoveryHandlers.of)
    return DocsSite(lambda: documents.documents.json.body, parts.bases)


_VARIES = {"Cache-Control": "no-store", "Vary": "Accept"}
_ABSENT = {"Cache-Control": "no-store", "Vary": "Accept, Accept-Language"}


def _headers(language: Language) -> dict[str, str]:
    return {
        "Cache-Control": CACHE_CONTROL,
        "Content-Language": language.value,
        "Content-Security-Policy": POLICY,
        "Referrer-Policy": "same-origin",
    }


def _is_for_people(request: Request) -> bool:
    return wants_html(request.headers.get("Accept"))


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
