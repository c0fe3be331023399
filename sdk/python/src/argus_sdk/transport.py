"""Send one request with its retries, and turn responses into values and errors.

A request is repeated after 429, 503 and the 409 of a key in flight, after the pause that `Retry-After` names, and after
a connection that failed. Only a request whose repetition has no effect is repeated (`RequestToSend.is_repeatable`).
Redirects are not followed, since they could lead a token to another host.
"""

import email.utils
import json
import logging
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx

from argus_sdk.errors import AddressRefused, ApiError, ConnectionFailed, ResponseUnusable

ATTEMPTS_MAX = 4
NOT_MODIFIED = 304
"""Status of the response to a request with `If-None-Match`, where the caller has the current version."""
RETRY_AFTER_S_MAX = 60.0
"""Longest pause that the SDK makes itself. A longer one is for the caller to plan (`ApiError.retry_after_s`)."""
BACKOFF_S = 0.5
"""First pause after a connection that failed; each further one is twice as long, less up to half of it by chance."""
DOCUMENT_BYTES_MAX = 192 * 2**20
"""Size of a response in memory, and of a transcript to verify. The longest one in JSON-LD takes 88 MB."""
ERROR_BYTES_MAX = 2**20
CONNECT_TIMEOUT_S = 10.0
TIMEOUT_S = 60.0
"""Longest pause before and within a response. The service cancels slow requests itself before."""
CALL_LIMIT_S = 3600.0
"""Longest time of a call with all its attempts, so that a response that never ends does not keep a program for ever.
A download of 1 GB takes it at 300 kB/s."""
_LOOPBACK = {"localhost", "127.0.0.1", "::1"}
_CHUNK_BYTES = 2**16
_is_sending: ContextVar[bool] = ContextVar("argus_sdk_is_sending", default=False)
# httpx logs each address whole, and a signed address is a credential.
logging.getLogger("httpx").addFilter(lambda _record: not _is_sending.get())

Result = TypeVar("Result")
Reader = Callable[[Iterator[bytes]], Result]
"""Reads the body of a response from its chunks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The clock and the pauses of a client. Tests replace them, so that nothing waits."""

    pause: Callable[[float], None] = time.sleep
    monotonic_s: Callable[[], float] = time.monotonic
    unix_s: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random


@dataclass(frozen=True, slots=True)
class RequestToSend:
    """A request. `query` leaves out parameters that are None. `body` is a JSON value, or the bytes of the body.
    `is_repeatable`: a repetition has no further effect."""

    method: str
    url: str
    query: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: object = field(default=None, repr=False)
    form: Mapping[str, str] | None = field(default=None, repr=False)
    is_repeatable: bool = False


class Connection:
    """The HTTP connections of a client. It knows no token: each request brings its own headers."""

    def __init__(
        self, http: httpx.Client | None = None, timing: Timing | None = None, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.timing = timing or Timing()
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, CONNECT_TIMEOUT_S))
        self._http = http or httpx.Client(follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def read_json(self, request: RequestToSend) -> Any:
        """Send a request; return the JSON value of its response, None without a body."""
        return self.send(request, read_document)[0]

    def send(self, request: RequestToSend, read: Reader[Result]) -> tuple[Result, httpx.Response]:
        """Send a request until a response is complete; return what `read` returns of it, and the response.

        `read` reads the body of a successful response, and is called again for each attempt. Raises `ApiError`,
        `ConnectionFailed`, `ResponseUnusable`, `AddressRefused`.
        """
        built = self._build(request)
        until_s = self.timing.monotonic_s() + CALL_LIMIT_S
        attempt = 0
        while True:
            attempt += 1
            error: ApiError | ConnectionFailed
            try:
                response = self._transmit(built)
                try:
                    chunks = self._chunks(response, until_s)
                    if response.is_success or response.status_code == NOT_MODIFIED:
                        return read(chunks), response
                    error = _error_of(response, chunks, self.timing.unix_s())
                finally:
                    response.close()
            except httpx.HTTPError as failure:
                # The library's error holds the request with its token, so it is not chained.
                error = ConnectionFailed(f"{request.method} got no complete response: {type(failure).__name__}.")
            pause_s = self._pause_s(error, attempt) if request.is_repeatable else None
            if pause_s is None or attempt >= ATTEMPTS_MAX:
                raise error
            self.timing.pause(pause_s)

    def _transmit(self, built: httpx.Request) -> httpx.Response:
        """Send a request once, without a line in the log of httpx."""
        mark = _is_sending.set(True)
        try:
            return self._http.send(built, stream=True, follow_redirects=False)
        finally:
            _is_sending.reset(mark)

    def _chunks(self, response: httpx.Response, until_s: float) -> Iterator[bytes]:
        """Yield the body of a response as it arrives. Raises `ConnectionFailed` when the time of the call is over."""
        for chunk in response.iter_bytes(_CHUNK_BYTES):
            if self.timing.monotonic_s() > until_s:
                raise ConnectionFailed(f"The response was not complete after {CALL_LIMIT_S:g} s.")
            yield chunk

    def _build(self, request: RequestToSend) -> httpx.Request:
        try:
            url = httpx.URL(request.url)
        except httpx.InvalidURL:
            raise AddressRefused("malformed_address", "The address is not a URL.") from None
        if url.scheme != "https" and url.host not in _LOOPBACK:
            raise AddressRefused("insecure_address", "Tokens are sent over https only, or to this machine.")
        if query := {name: _text(value) for name, value in request.query.items() if value is not None}:
            url = url.copy_merge_params(query)
        headers = httpx.Headers({"Accept": "application/json"})
        headers.update(request.headers)
        content: dict[str, Any] = {}
        if request.form is not None:
            content["data"] = dict(request.form)
        elif request.body is not None:
            headers.setdefault("Content-Type", "application/json")
            content["content"] = _json_text(request.body)
        return self._http.build_request(request.method, url, headers=headers, timeout=self._timeout, **content)

    def _pause_s(self, error: ApiError | ConnectionFailed, attempt: int) -> float | None:
        """Return the pause before the next attempt, None if a further attempt is of no use."""
        backoff_s = BACKOFF_S * (1 << (attempt - 1)) * (1 - self.timing.chance() / 2)
        if isinstance(error, ConnectionFailed):
            return backoff_s
        if error.status not in (429, 503) and error.code != "idempotency_key_in_flight":
            return None
        pause_s = backoff_s if error.retry_after_s is None else error.retry_after_s
        return pause_s if pause_s <= RETRY_AFTER_S_MAX else None


def read_bytes(chunks: Iterator[bytes]) -> bytes:
    """Return the body of a response as it was received. Raises `ResponseUnusable`."""
    text = _read_at_most(chunks, DOCUMENT_BYTES_MAX)
    if text is None:
        raise ResponseUnusable("response_too_large", f"The response is larger than {DOCUMENT_BYTES_MAX} bytes.")
    return text


def read_document(chunks: Iterator[bytes]) -> Any:
    """Return the JSON value of a response, None without a body. Raises `ResponseUnusable`."""
    return document_of(read_bytes(chunks))


def document_of(text: bytes) -> Any:
    """Return the JSON value of a body, None for an empty one. Raises `ResponseUnusable`."""
    if not text:
        return None
    try:
        return json.loads(text)
    except ValueError:
        raise ResponseUnusable("response_malformed", "The response is not JSON.") from None


def write_to(path: Path) -> Reader[None]:
    """Return a reader that writes the body of a response to a file, from its beginning, and to the disk at the end."""

    def read(chunks: Iterator[bytes]) -> None:
        with path.open("wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())

    return read


def _read_at_most(chunks: Iterator[bytes], bytes_max: int) -> bytes | None:
    """Return the body, None if it is larger."""
    body = bytearray()
    for chunk in chunks:
        body += chunk
        if len(body) > bytes_max:
            return None
    return bytes(body)


def _error_of(response: httpx.Response, chunks: Iterator[bytes], now_s: float) -> ApiError:
    """Return the error that a response stands for: a problem document, an OAuth error, or only a status."""
    try:
        document = json.loads(_read_at_most(chunks, ERROR_BYTES_MAX) or b"null")
    except ValueError:
        document = None
    known: dict[str, Any] = document if isinstance(document, dict) else {}
    code = known.get("code") or known.get("error")
    detail = known.get("detail") or known.get("error_description") or known.get("title")
    if isinstance(known.get("errors"), list) and not code:
        code, detail = _graphql_refusal(known["errors"])
    trace_id = known.get("trace_id") or response.headers.get("X-Argus-Trace-ID")
    shown = {"type", "title", "status", "detail", "code", "trace_id", "errors", "instance"}
    errors, kind = known.get("errors"), known.get("type")
    return ApiError(
        code if isinstance(code, str) and code else f"http_{response.status_code}",
        detail if isinstance(detail, str) and detail else "The response has no explanation.",
        status=response.status_code,
        trace_id=trace_id if isinstance(trace_id, str) else None,
        errors=[one for one in errors if isinstance(one, dict)] if isinstance(errors, list) else (),
        retry_after_s=_retry_after_s(response.headers.get("Retry-After"), now_s),
        problem_url=kind if isinstance(kind, str) and kind != "about:blank" else None,
        members={name: value for name, value in known.items() if name not in shown},
    )


def _graphql_refusal(errors: list[Any]) -> tuple[Any, Any]:
    """Return code and message of a refused GraphQL request (the transport's own form of an error)."""
    first = errors[0] if errors and isinstance(errors[0], dict) else {}
    extensions = first.get("extensions")
    return (extensions.get("code") if isinstance(extensions, dict) else None), first.get("message")


def _retry_after_s(text: str | None, now_s: float) -> float | None:
    """Return the pause of a Retry-After header: a number of seconds or a date (RFC 9110 section 10.2.3)."""
    if text is None:
        return None
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment: datetime = email.utils.parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, moment.timestamp() - now_s)


def _json_text(body: object) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False, allow_nan=False).encode()


def _text(value: object) -> str:
    """Return a query parameter as the API reads it: lower-case booleans, lists with commas."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple | set | frozenset):
        return ",".join(_text(one) for one in value)
    return str(value)
