"""Authorised requests to the two hosts of the API: documents, pages of lists, and files."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import httpx

from argus_sdk.credentials import TokenSource
from argus_sdk.errors import AddressRefused, ApiError, ResponseUnusable
from argus_sdk.transport import Connection, RequestToSend, read_document, write_to

UNAUTHORIZED = 401
PARTS_MAX = 1_000
"""Parts of a downloaded document: 5 million entries of a FHIR bundle."""
Result = TypeVar("Result")
Query = Mapping[str, object]


class Api:
    """One host of the API with the token of a client."""

    def __init__(self, base_url: str, connection: Connection, tokens: TokenSource) -> None:
        self._base_url = base_url.rstrip("/")
        self._connection = connection
        self._tokens = tokens

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Query | None = None,
        body: object = None,
        idempotency_key: str | None = None,
        headers: Mapping[str, str] | None = None,
        is_repeatable: bool | None = None,
    ) -> Any:
        """Send a request to a path of this host; return the JSON value of the response, None without a body.

        `idempotency_key` makes a POST repeatable, where the route takes such a key. `is_repeatable` states that a
        repetition has no further effect; by default this is so for GET, PUT and DELETE, and for a POST with a key.
        """
        sent = dict(headers or {})
        if idempotency_key is not None:
            sent["Idempotency-Key"] = idempotency_key
        if is_repeatable is None:
            is_repeatable = method in ("GET", "PUT", "DELETE") or idempotency_key is not None
        to_send = RequestToSend(
            method, self._base_url + path, query or {}, headers=sent, body=body, is_repeatable=is_repeatable
        )
        return self._send(to_send, read_document)[0]

    def pages(self, path: str, query: Query | None = None) -> Iterator[Any]:
        """Yield the items of a list, page by page: an array with `Link`, or an object with a list and `next_cursor`.

        A page is requested when its first item is needed. Raises `AddressRefused` for a link to another host.
        """
        url, parameters = self._base_url + path, dict(query or {})
        while True:
            document, response = self._send(RequestToSend("GET", url, parameters, is_repeatable=True), read_document)
            yield from _items_of(document)
            if isinstance(document, list):
                following = self._next_address(response)
                if following is None:
                    return
                if following == url:
                    raise ResponseUnusable("response_malformed", "The next page of the list is the same page.")
                url, parameters = following, {}
            else:
                cursor = document.get("next_cursor")
                if cursor is None:
                    return
                if cursor == parameters.get("cursor"):
                    raise ResponseUnusable("response_malformed", "The next page of the list is the same page.")
                parameters["cursor"] = cursor

    def download_parts(self, path: str, folder: Path, name: str, accept: str) -> list[Path]:
        """Write the parts of a document to `NAME-1.json`, `NAME-2.json`, … in a folder; return their paths in order.

        The files appear when all parts are complete; after an error there is none. Files of these names are replaced.
        """
        with _folder_beside(folder) as unfinished:
            url: str | None = self._base_url + path
            names: list[str] = []
            while url is not None:
                if len(names) == PARTS_MAX:
                    raise ResponseUnusable("response_too_large", f"The document has more than {PARTS_MAX} parts.")
                names.append(f"{name}-{len(names) + 1}.json")
                part = RequestToSend("GET", url, headers={"Accept": accept}, is_repeatable=True)
                url = self._next_address(self._send(part, write_to(unfinished / names[-1]))[1])
            return [(unfinished / one).replace(folder / one) for one in names]

    def download_signed(self, url: str, path: Path) -> None:
        """Write the file at a signed address to a path, which appears when it is complete. No token is sent."""
        with _folder_beside(path.parent) as unfinished:
            part = unfinished / path.name
            self._connection.send(
                RequestToSend("GET", url, headers={"Accept": "*/*"}, is_repeatable=True), write_to(part)
            )
            part.replace(path)

    def pause(self, seconds_s: float) -> None:
        """Pause, as the client's timing does."""
        self._connection.timing.pause(seconds_s)

    def monotonic_s(self) -> float:
        """Return the client's monotonic clock."""
        return self._connection.timing.monotonic_s()

    def _send(self, request: RequestToSend, read: Callable[[httpx.Response], Result]) -> tuple[Result, httpx.Response]:
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
        own, next_url = httpx.URL(self._base_url), httpx.URL(self._base_url).join(link)
        if (next_url.scheme, next_url.host, next_url.port) != (own.scheme, own.host, own.port):
            raise AddressRefused("foreign_link", "The next page is on another host, so it is not requested.")
        return str(next_url)


def segment(text: str) -> str:
    """Return text as one segment of a path. Raises `AddressRefused` for one that would lead to another path."""
    if text in ("", ".", ".."):
        raise AddressRefused("unusable_id", "An id that is empty, `.` or `..` would lead to another path.")
    return quote(text, safe="")


def _authorized(request: RequestToSend, token: str) -> RequestToSend:
    return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


@contextmanager
def _folder_beside(folder: Path) -> Iterator[Path]:
    """Make a folder for unfinished files within `folder`, on the same disk; remove it after the block."""
    unfinished = Path(tempfile.mkdtemp(prefix=".argus-", dir=folder))
    try:
        yield unfinished
    finally:
        shutil.rmtree(unfinished)


def _items_of(document: Any) -> list[Any]:
    """Return the items of a page: the array, or the only list of the object."""
    if isinstance(document, list):
        return document
    lists = [value for value in document.values() if isinstance(value, list)] if isinstance(document, dict) else []
    if len(lists) != 1:
        raise ResponseUnusable("response_malformed", "The response is not a page of a list.")
    return lists[0]
