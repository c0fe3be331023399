"""Conditional GET with If-None-Match: respond 304 when the client has this version already (RFC 9110 §13.1.2)."""

from cloud.foundation.http.response import Response


def conditional(response: Response, method: str, if_none_match: str | None) -> Response:
    """Return 304 if `if_none_match` names the entity tag of a 200 to GET or HEAD, otherwise the response itself."""
    if if_none_match is None or response.etag is None or response.status != 200 or method not in ("GET", "HEAD"):
        return response
    if if_none_match.strip() != "*" and not any(_same(tag, response.etag) for tag in if_none_match.split(",")):
        return response
    return Response(304, headers=response.headers, etag=response.etag)


def _same(given: str, ours: str) -> bool:
    """Compare two entity tags weakly, as If-None-Match requires: a prefix `W/` is ignored."""
    return given.strip().removeprefix("W/") == ours.removeprefix("W/")
