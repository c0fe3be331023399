"""Routes of the documentation. None of them is in the public contract, because they describe it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

from cloud.foundation.http import EVERY_HOST, PUBLIC, Handler, Host, Parts, Query, RateClass, Route
from cloud.foundation.pages import Language
from cloud.partners.docs import verification_page
from cloud.partners.docs.handlers import DocsHandlers, SiteHandlers, site_of
from cloud.partners.docs.schemas import LanguageQuery, SearchQuery

_BOTH = {200: "The page, as HTML or JSON.", 304: "Not modified."}
_FILE = {200: "The file.", 304: "Not modified."}
_PAGE = {200: "The page.", 304: "Not modified."}


def routes(parts: Parts) -> tuple[Route, ...]:
    """Return the routes: the pages and the index on the docs host, the problem pages on the api host (the `type` of a
    problem is an address there), and the root of every host."""
    site = site_of(parts)
    people, programs = SiteHandlers(site, parts.bases), DocsHandlers(site, parts.bases)
    index = _row("/api/docs", programs.index, "Read the index of machine-readable documents", query=LanguageQuery)
    rows = (
        index,
        _row("/", people.root, "Lead to the documentation", EVERY_HOST, {302: "The documentation."}),
        _row("/api/docs/events", programs.events, "List the events for webhooks", query=LanguageQuery),
        _row(verification_page.PATH, verification_page.download, "Download the verification page", responses=_FILE),
        _row("/problems", programs.problems, "List the kinds of problems", Host.API, query=LanguageQuery),
        _row("/problems/{slug}", programs.problem, "Explain a kind of problem", Host.API, query=LanguageQuery),
    )
    return (
        *(replace(row, refusal_page=people.absent(), covers_absent=row is index) for row in rows),
        *(
            replace(row, refusal_page=people.absent(language))
            for language in Language
            for row in _pages(people, language)
        ),
    )


def _pages(people: SiteHandlers, language: Language) -> Iterator[Route]:
    root = f"/{language.value}/docs"
    yield _row(root, people.page(language, "home"), "Read the documentation", responses=_PAGE)
    reference = f"{root}/api-reference"
    yield _row(reference, people.page(language, "reference"), "Read the API reference", responses=_PAGE)
    yield _row(f"{reference}/{{name}}", people.page(language, "operation"), "Read about an operation", responses=_PAGE)
    yield _row(f"{root}/guides/{{name}}", people.page(language, "guide"), "Read a guide", responses=_PAGE)
    yield _row(
        f"{root}/search",
        people.search(language),
        "Search the documentation",
        responses={200: "The results, as HTML or JSON."},
        query=SearchQuery,
    )


def _row(
    path: str,
    handler: Handler,
    summary: str,
    host: Host | tuple[Host, ...] = Host.DOCS,
    responses: Mapping[int, str] = _BOTH,
    query: type[Query] | None = None,
) -> Route:
    return Route(
        method="GET",
        path=path,
        handler=handler,
        host=host,
        scopes=PUBLIC,
        rate_class=RateClass.PUBLIC,
        query=query,
        responses=responses,
        summary=summary,
        tag="Discovery",
        in_contract=False,
    )
