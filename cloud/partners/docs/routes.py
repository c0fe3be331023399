"""Routes of the documentation. None of them is in the public contract, because they describe it."""

from collections.abc import Mapping

from cloud.foundation.http import EVERY_HOST, PUBLIC, Handler, Host, Parts, RateClass, Route
from cloud.partners.docs.handlers import DocsHandlers

_PAGE = {200: "The page, as HTML or JSON.", 304: "Not modified."}


def routes(parts: Parts) -> tuple[Route, ...]:
    """Return the routes: the index on the docs host, the problem pages on the api host (the `type` of a problem is an
    address there), and the root of every host."""
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
