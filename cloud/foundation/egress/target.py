"""Check a URL when it is registered, and again before every attempt (contract matrix A-063).

The client connects to the parsed URL that this check returns. So no second parser can find another host in the same
text. The IP addresses of a name are checked later, when the name is resolved.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from yarl import URL

from cloud.foundation.egress.addresses import is_public, read_address
from cloud.foundation.egress.errors import UrlBlocked, UrlMalformed

URL_LENGTH_MAX = 2048
HOST_LENGTH_MAX = 253

PORTS_LOW = frozenset({443, 8443})
PORT_HIGH = 1024
PORTS_BLOCKED = frozenset({3306, 5432, 6379, 9200, 11211, 27017})
"""Databases and caches, which would interpret a request line as a command or an argument."""

# Names that resolve inside a network by convention or by their registration (RFC 6761, RFC 6762, RFC 8375).
_INSIDE = ("localhost", "local", "localdomain", "internal", "intranet", "corp", "home", "lan", "home.arpa")

_UNSEEN = re.compile(r"[\x00-\x20\x7f-\xa0\u2028\u2029\\]")
_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# WHATWG: a host whose last label is a number is an IPv4 address in a legacy form, whatever the other labels are.
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")


@dataclass(frozen=True, slots=True)
class Target:
    """A checked URL. `permitted` True: the operator allows the HOST:PORT pair of the URL, so any IP address is
    accepted."""

    url: URL
    host: str
    port: int
    permitted: bool


class AllowList:
    """The exact HOST:PORT pairs that the operator allows, each host written as in a URL (`[::1]`). Empty by default."""

    def __init__(self, pairs: Collection[tuple[str, int]] = ()) -> None:
        self._pairs = frozenset((host.lower(), port) for host, port in pairs)

    def __contains__(self, pair: tuple[str, int]) -> bool:
        return pair in self._pairs


def read_target(text: str, allowed: AllowList) -> Target:
    """Parse and check a URL. Raises `UrlMalformed` when it is not a URL, `UrlBlocked` when it may not be called."""
    url = _parsed(text)
    host, port = (url.raw_host or "").lower(), url.port
    if port is None or not host:
        raise UrlMalformed
    if "@" in re.split("[/?#]", text.partition("://")[2], maxsplit=1)[0]:
        raise UrlBlocked("(It carries credentials; the signature says who we are.)")
    if "#" in text:
        raise UrlBlocked("(A fragment is never sent.)")
    if url.scheme in ("http", "https") and (host, port) in allowed:
        return Target(url, host, port, permitted=True)
    if url.scheme != "https":
        raise UrlBlocked("(Only https.)")
    if port in PORTS_BLOCKED or (port < PORT_HIGH and port not in PORTS_LOW):
        raise UrlBlocked("(The port is 443, 8443, or one from 1024 on that no database is known by.)")
    _check_host(host)
    return Target(url, host, port, permitted=False)


def _parsed(text: str) -> URL:
    if not text or len(text) > URL_LENGTH_MAX or _UNSEEN.search(text):
        raise UrlMalformed
    try:
        # Maps full-width digits, circled digits and the ideographic dots of a host to their ASCII equivalents (UTS 46).
        return URL(text)
    except ValueError:
        raise UrlMalformed from None


def _check_host(host: str) -> None:
    """Check that the host is a public IP address or a name that can be public. Raises `UrlBlocked`."""
    address = read_address(host)
    if address is not None:
        if not is_public(address):
            raise UrlBlocked("(The address is not public.)")
        return
    labels = host.split(".")
    if len(host) > HOST_LENGTH_MAX or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlBlocked("(The host is no name and no address in its usual form.)")
    if _NUMBER.fullmatch(labels[-1]):
        raise UrlBlocked("(The host is an address in an unusual form.)")
    if len(labels) == 1 or any(host == name or host.endswith(f".{name}") for name in _INSIDE):
        raise UrlBlocked("(The name belongs to a private network.)")
