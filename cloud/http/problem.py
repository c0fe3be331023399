"""Errors as RFC 9457 problem documents: the one place that turns a refusal into an HTTP answer (D13)."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus

import orjson
import structlog
from aiohttp import web

from cloud.errors import DomainError

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

log = structlog.get_logger()

MEDIA_TYPE = "application/problem+json"


def problem(status: int, code: str, detail: str | None = None) -> web.Response:
    """A problem document. `code` is stable and public; `detail` is a sentence for people."""
    document = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "code": code}
    if detail:
        document["detail"] = detail
    return web.Response(status=status, body=orjson.dumps(document), content_type=MEDIA_TYPE)


@web.middleware
async def problems(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer every error of what is inside with a problem document, and let none of its text out."""
    try:
        return await handler(request)
    except DomainError as error:
        return problem(error.status, error.code, error.sentence)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        refusal = problem(error.status, HTTPStatus(error.status).phrase.lower().replace(" ", "_"))
        if isinstance(error, web.HTTPMethodNotAllowed):
            refusal.headers["Allow"] = ", ".join(sorted(error.allowed_methods))
        return refusal
    except Exception:
        log.exception("request.crashed", method=request.method)
        return problem(500, "internal_error", "Something went wrong on our side; it has been recorded.")
