"""Conditional GET with If-None-Match: omit a body that the client already has (RFC 9110 §13.1.2)."""

from cloud.foundation.http.response import Response


def conditional(response: Response, method: str, if_none_match: str | None) -> Response:
    """Return the response, or 304 when the client named its tag. Only for a successful GET or HEAD with a tag."""
    if if_none_match is None or response.etag is None or response.status != 200 or method not in ("GET", "HEAD"):
        return response
    if if_none_match.strip() != "*" and not any(_same(tag, response.etag) for tag in if_none_match.split(",")):
        return response
    return Response(304, headers=response.headers, etag=response.etag)


def _same(given: str, ours: str) -> bool:
    """Compare weakly, as If-None-Match requires: W/ is ignored on either side."""
    return given.strip().removeprefix("W/") == ours.removeprefix("W/")
