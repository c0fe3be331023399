"""Size limits of a request head, and a reader for a head that the HTTP parser refused.

No rate limit counts a refused head, so reading it must be cheap for any bytes: one split, no regular expression.
"""

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from aiohttp.http_parser import RawRequestMessage

LINE_BYTES_MAX = 8190
"""Limit of the request line and of each header, the same as in Apache and nginx: proxies refuse longer ones anyway."""
HEADERS_MAX = 100
"""Limit of the number of headers: browsers send about 20 and proxies add about 10."""
HEAD_BYTES_MAX = 64 * 1024
"""Limit of a request's line and headers together: eight of the longest headers, and 256 MiB for 4096 connections."""
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
METHOD_LENGTH_MAX = 64
"""The longest registered method has 17 letters; a longer word is not a method."""


def measure_head(message: "RawRequestMessage") -> int:
    """Return the size of a parsed head in bytes. Spaces around header values are not counted, since the parser has
    removed them."""
    size = len(message.method) + len(message.path) + len(" HTTP/1.1\r\n ")
    for name, value in message.raw_headers:
        size += len(name) + len(value) + len(": \r\n")
    return size


class RequestLine(NamedTuple):
    """The method and the target of a request line that every parser reads in the same way."""

    method: str
    target: str


class RefusedHead:
    """The first bytes of a request that the parser refused."""

    __slots__ = ("_lines", "_whole_line")

    def __init__(self, received: bytes = b"") -> None:
        received = received[: LINE_BYTES_MAX + HEAD_BYTES_MAX]
        # One line more than a head may have: later lines are never headers of an accepted request.
        self._lines = received.split(b"\n", HEADERS_MAX + 1)
        self._whole_line = len(self._lines) > 1 and len(self._lines[0]) < LINE_BYTES_MAX

    @property
    def line_is_too_long(self) -> bool:
        """True if the request line alone exceeds its limit."""
        return not self._whole_line and self._lines != [b""]

    def request_line(self) -> RequestLine | None:
        """Return the request line; None if it is not valid in HTTP/1, or if parsers could read it differently."""
        if not self._whole_line:
            return None
        words = self._lines[0].removesuffix(b"\r").split(b" ")
        if len(words) != 3 or words[2] not in (b"HTTP/1.1", b"HTTP/1.0"):
            return None
        method, target, _ = words
        if not 1 <= len(method) <= METHOD_LENGTH_MAX or not _TOKEN.issuperset(method):
            return None
        # Other white space in the target would make two readers see two targets.
        if target.split() != [target]:
            return None
        return RequestLine(method.decode("ascii"), target.decode("latin-1"))

    def host(self) -> str:
        """Return the value of the first Host header; empty when there is none."""
        for line in self._lines[1:]:
            line = line.removesuffix(b"\r")
            if not line:
                break
            name, _, value = line.partition(b":")
            if len(name) == 4 and name.lower() == b"host":
                return value.strip(b" \t").decode("latin-1")
        return ""
