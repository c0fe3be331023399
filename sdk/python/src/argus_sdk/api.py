"""Authorised requests to the two hosts of the API: documents, pages of lists, and files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, TypeVar, Unpack
from urllib.parse import quote

import httpx

from argus_sdk.credentials import TokenSource
from argus_sdk.downloads import folder_beside, part_name, place_file, place_parts
from argus_sdk.errors import AddressRefused, ApiError, ResponseUnusable
from argus_sdk.transport import (
    Connection,
    Reader,
    RequestToSend,
    document_of,
    read_bytes,
    read_document,
    write_to,
)

UNAUTHORIZED = 401
PARTS_MAX = 1_000
"""Parts of a downloaded document: 5 million entries of a FHIR bundle."""
PAGES_MAX = 100_000
"""Pages of one list. A service that always names a further page must not keep a program for ever."""
KEYED_PATHS = ("/api/v1/devices/{}/observations", "/api/v1/epcr/encounters", "/v1/jobs")
"""Paths whose POST takes an `Idempotency-Key`; a test compares them with the OpenAPI document."""
AUTH_PATHS = (
    "/.well-known/jwks.json",
    "/v1/auth/jwks.json",
    "/v1/oauth/authorize",
    "/v1/oauth/token",
    "/v1/platform/apps",
    "/v1/platform/apps/{}",
    "/v1/platform/apps/{}/governance",
    "/v1/platform/apps/{}/rotate-secret",
    "/v1/platform/apps/{}/service-token",
    "/v1/platform/scopes",
    "/v1/webhooks",
    "/v1/webhooks/{}",
    "/v1/webhooks/{}/deliveries",
    "/v1/webhooks/{}/test",
)
"""Paths on the auth host, which the same test compares. All others are on the api host."""
Result = TypeVar("Result")
Query = Mapping[str, object]


class RequestOptions(TypedDict, total=False):
    """The options of a request.

    `body` is a JSON value, or the bytes of the body. `is_repeatable` states that a repetition has no further effect. By
    default this is so for GET, HEAD, PUT and DELETE, and for a POST with an `idempotency_key` to a path that takes one.
    On another path the service ignores the key, so it does not make a repetition safe.
    """

    query: Query | None
    body: object
    idempotency_key: str | None
    headers: Mapping[str, str] | None
    is_repeatable: bool | None


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. `headers` finds a name in any case, and `body` is as it was received."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Api:
    """One host of the API with the token of a client."""

    def __init__(self, base_url: str, connection: Connection, tokens: TokenSource) -> None:
        self._base_url = base_url.rstrip("/")
        self._connection = connection
        self._tokens = tokens

    def request(self, method: str, path: str, **options: Unpack[RequestOptions]) -> Any:
        """Send a request to a path of this host, as `Argus.request` describes it."""
        return document_of(self.exchange(method, path, **options).body)

    def exchange(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool | None = None,
    ) -> Reply:
        """Send a request as `request` does, and return the whole response."""
        sent = dict(headers or {})
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        if is_repeatable is None:
            takes_key = method == "POST" and _is_any_of(path, KEYED_PATHS)
            is_repeatable = method in ("GET", "HEAD", "PUT", "DELETE") or (idempotency_key is not None and takes_key)
        to_send = RequestToSend(
            method, self._address(path), query or {}, headers=sent, body=body, is_repeatable=is_repeatable
        )
        content, response = self._send(to_send, read_bytes)
        return Reply(response.status_code, response.headers, content)

    def read_bytes(self, path: str, *, query: Query | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Return the body of the response to a GET as it was received."""
        wanted = RequestToSend("GET", self._address(path), query or {}, headers=headers or {}, is_repeatable=True)
        return self._send(wanted, read_bytes)[0]

    def pages(self, path: str, query: Query | None = None) -> Iterator[Any]:
        """Yield the items of a list, page by page: an array with `Link`, or an object with a list and `next_cursor`.

        A page is requested when its first item is needed. Raises `AddressRefused` for a link to another host, and
        `ResponseUnusable` for a page that came before.
        """
        url, parameters = self._address(path), dict(query or {})
        seen: set[object] = {url, parameters.get("cursor")}
        while True:
            document, response = self._send(RequestToSend("GET", url, parameters, is_repeatable=True), read_document)
            yield from _items_of(document)
            has_links = isinstance(document, list)
            following = self._next_address(response) if has_links else document.get("next_cursor")
            if following is None:
                return
            _add_page(following, seen, PAGES_MAX)
            if has_links:
                url, parameters = following, {}
            else:
                parameters["cursor"] = following

    def parts(self, path: str, accept: str) -> Iterator[bytes]:
        """Yield the parts of a document as they were received. A part is requested when it is needed."""
        url: str | None = self._address(path)
        seen: set[object] = {url}
        while url is not None:
            request = RequestToSend("GET", url, headers={"Accept": accept}, is_repeatable=True)
            content, response = self._send(request, read_bytes)
            yield content
            url = self._next_address(response)
            if url is not None:
                _add_page(url, seen, PARTS_MAX)

    def download_parts(self, path: str, folder: Path, name: str, accept: str) -> list[Path]:
        """Write the parts of a document to `NAME-0001.json`, `NAME-0002.json`, … in a folder, and return their paths.

        The files appear when all parts are complete and on the disk, and replace those of an earlier download.
        """
        with folder_beside(folder) as unfinished:
            url: str | None = self._address(path)
            seen: set[object] = {url}
            while url is not None:
                part = RequestToSend("GET", url, headers={"Accept": accept}, is_repeatable=True)
                file = unfinished / part_name(name, len(seen))
                url = self._next_address(self._send(part, write_to(file))[1])
                if url is not None:
                    _add_page(url, seen, PARTS_MAX)
            return place_parts(unfinished, folder, name)

    def read_signed(self, url: str, read: Reader[Result]) -> Result:
        """Read the file at a signed address, and return what `read` returns. No token is sent."""
        request = RequestToSend("GET", url, headers={"Accept": "*/*"}, is_repeatable=True)
        return self._connection.send(request, read)[0]

    def download_signed(self, url: str, path: Path) -> None:
        """Write the file at a signed address to a path, which appears when it is complete. No token is sent."""
        with folder_beside(path.parent) as unfinished:
            part = unfinished / path.name
            self.read_signed(url, write_to(part))
            place_file(part, path)

    def pause(self, seconds_s: float) -> None:
        """Pause, as the client's timing does."""
        self._connection.timing.pause(seconds_s)

    def monotonic_s(self) -> float:
        """Return the client's monotonic clock."""
        return self._connection.timing.monotonic_s()

    def _address(self, path: str) -> str:
        """Return the address of a path. Raises `AddressRefused` for one that could lead to another host."""
        if not path.startswith("/"):
            raise AddressRefused("malformed_address", "A path begins with a slash.")
        return self._base_url + path

    def _send(self, request: RequestToSend, read: Reader[Result]) -> tuple[Result, httpx.Response]:
        """Send a request with the token. A refused token is replaced once, since it may have been revoked early."""
        token = self._tokens.token(self._connection)
        try:
            return self._connection.send(_authorized(request, token), read)
        except ApiError as error:
            other = self._tokens.replace(token, self._connection) if error.status == UNAUTHORIZED else None
            if other is None:
                raise
        return self._connection.send(_authorized(request, other), read)

    def _next_address(self, response: httpx.Response) -> str | None:
        """Return the address of the next page or part, None on the last one."""
        link = response.links.get("next", {}).get("url")
        if link is None:
            return None
        own, next_url = httpx.URL(self._base_url), response.request.url.join(link)
        if (next_url.scheme, next_url.host, next_url.port) != (own.scheme, own.host, own.port):
            raise AddressRefused("foreign_link", "The next page is on another host, so it is not requested.")
        return str(next_url)


def is_on_auth_host(path: str) -> bool:
    """Return whether a path is on the auth host."""
    return _is_any_of(path, AUTH_PATHS)


def _is_any_of(path: str, templates: tuple[str, ...]) -> bool:
    """Return whether a path, without its query, has the form of a template."""
    given = path.partition("?")[0].split("/")

    def fits(template: str) -> bool:
        parts = template.split("/")
        return len(parts) == len(given) and all(
            part == one or (part == "{}" and one != "") for part, one in zip(parts, given, strict=True)
        )

    return any(fits(template) for template in templates)


def segment(text: str) -> str:
    """Return text as one segment of a path. Raises `AddressRefused` for one that would lead to another path."""
    if text in ("", ".", ".."):
        raise AddressRefused("unusable_id", "An id that is empty, `.` or `..` would lead to another path.")
    return quote(text, safe="")


def _authorized(request: RequestToSend, token: str) -> RequestToSend:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _add_page(following: object, seen: set[object], pages_max: int) -> None:
    """Add the address or cursor of the next page to those that came before. Raises `ResponseUnusable` if it is one of
    them, since the list would have no end."""
    if not isinstance(following, str) or following in seen:
        raise ResponseUnusable("response_malformed", "The next page of the list is a page that came before.")
    if len(seen) >= pages_max:
        raise ResponseUnusable("response_too_large", f"The list has more than {pages_max} pages.")
    seen.add(following)


def _items_of(document: Any) -> list[Any]:
    """Return the items of a page: the array, or the only list of the object."""
    if isinstance(document, list):
        return document
    lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
    if len(lists) != 1:
        raise ResponseUnusable("response_malformed", "The response is not a page of a list.")
    return lists[0]
