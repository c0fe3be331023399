"""Where the docs are. None of it is in the public contract: it is about the contract."""

from cloud.foundation.http import PUBLIC, Handler, Host, RateClass, Route
from cloud.partners.docs.handlers import DocsHandlers


def routes(handlers: DocsHandlers) -> tuple[Route, ...]:
    """The index on the docs host, problem pages on the api host, since problem types are addresses there (A-001)."""

    def page(path: str, host: Host, handler: Handler, summary: str) -> Route:
        return Route(
            method="GET",
            path=path,
            handler=handler,
            host=host,
            scopes=PUBLIC,
            rate_class=RateClass.PUBLIC,
            answers={200: "The page, as HTML or JSON.", 304: "It has not changed."},
            summary=summary,
            tag="Discovery",
            in_contract=False,
        )

    return (
        page("/api/docs", Host.DOCS, handlers.index, "Find the machine-readable documents"),
        page("/api/docs/events", Host.DOCS, handlers.events, "List the events that webhooks can hear of"),
        page("/problems", Host.API, handlers.problems, "List the kinds of problems"),
        page("/problems/{slug}", Host.API, handlers.problem, "Say what a kind of problem means"),
    )
