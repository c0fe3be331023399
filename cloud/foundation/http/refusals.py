"""Error responses to bytes that never become a request, because the parser or the connection refuses them.

They are problem documents (contract matrix A-007) without the parser's own text, which quotes the bytes.
"""

from aiohttp.http_exceptions import BadHttpMethod, LineTooLong

from cloud.foundation.errors import DomainError
from cloud.foundation.http.errors import (
    HeadersTooLarge,
    InternalError,
    MethodNotAllowed,
    NotFound,
    TargetTooLong,
    Unreadable,
)
from cloud.foundation.http.heads import RefusedHead
from cloud.foundation.http.observer import Observer
from cloud.foundation.http.problem import problem
from cloud.foundation.http.site import HostRouter, allowed_methods
from cloud.foundation.http.wire import NO_HOST_HEADERS, render
from cloud.foundation.trace import begin_trace


class Refusals:
    """Renders the error responses to bytes that are not a request, for one listening address."""

    def __init__(self, router: HostRouter, types_at: str, observer: Observer) -> None:
        self._router = router
        self._types_at = types_at
        self._observer = observer

    def render(self, error: DomainError, head: RefusedHead) -> bytes:
        """Return the bytes of an error response that ends the connection. The Host header in `head`, if it is readable,
        selects the host whose header lines the response has."""
        trace = begin_trace()
        site = self._router.only_site or self._router.find_site(head.host())
        response = problem(error, types_at=self._types_at, instance=None, trace_id=trace.trace_id)
        return render(response, trace, NO_HOST_HEADERS if site is None else site.constant, "", close=True)

    def render_parser_error(self, exc: BaseException | None, head: RefusedHead, *, ours: bool) -> bytes:
        """Count an error of the parser, and return the bytes of its response. With `ours`, the fault is in this server,
        and the response is an internal error."""
        error = InternalError() if ours or exc is None else self._public_error(exc, head)
        self._observer.parser_refused(error.status)
        return self.render(error, head)

    def _public_error(self, exc: BaseException, head: RefusedHead) -> DomainError:
        if isinstance(exc, LineTooLong):
            return TargetTooLong() if head.line_is_too_long else HeadersTooLarge()
        if isinstance(exc, BadHttpMethod):
            return self._unknown_method(head)
        return HeadersTooLarge() if "Too many headers" in str(exc) else Unreadable()

    def _unknown_method(self, head: RefusedHead) -> DomainError:
        """Return the error for a method that the parser does not know: 404 or 405, or `Unreadable` if the request line
        or the host cannot be read (contract matrix S-176)."""
        line, site = head.request_line(), self._router.find_site(head.host())
        if line is None or site is None:
            return Unreadable()
        found = site.table.find(line.target.partition("?")[0])
        return NotFound() if found is None else MethodNotAllowed(headers={"Allow": allowed_methods(found[0])})
