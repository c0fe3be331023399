"""The addresses of the docs. None of them is in the public contract: they are about the contract."""

from collections.abc import Mapping

from cloud.foundation.http import EVERY_HOST, PUBLIC, Handler, Host, Parts, RateClass, Route
from cloud.partners.docs.handlers import DocsHandlers

_PAGE = {200: "The page, as HTML or JSON.", 304: "Not modified."}


def routes(parts: Parts) -> tuple[Route, ...]:
    """The index on the docs host, problem pages on the api host, where problem types point, and every host's root."""
    handlers = DocsHandlers(parts.bases)

    def page(
        path: str,
        host: Host | tuple[Host, ...],
        handler: Handler,
        summary: str,
        responses: Mapping[int, str] = _PAGE,
    ) -> Route:
        return Route(
            method="GET",
            path=path,
            handler=handler,
            host=host,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            responses=responses,
            summary=summary,
            tag="Discovery",
            in_contract=False,
        )

    return (
        page("/", EVERY_HOST, handlers.root, "Lead to the documentation", {302: "The docs index."}),
        page("/api/docs", Host.DOCS, handlers.index, "Read the index of machine-readable documents"),
        page("/api/docs/events", Host.DOCS, handlers.events, "List the events for webhooks"),
        page("/problems", Host.API, handlers.problems, "List the kinds of problems"),
        page("/problems/{slug}", Host.API, handlers.problem, "Explain a kind of problem"),
    )
