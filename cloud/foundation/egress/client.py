"""The HTTP client for every request from the cloud to an external address (design D17).

The client resolves each name itself, and accepts the name only if all its addresses are public. It checks the address
again when the socket connects, so a name whose address changes does not get past the check. The client follows no
redirect, since the new address could be internal. It uses no proxy and no cookies. It does not decompress, since a
small body could expand to fill the memory. Time and bytes are limited. Only an exact HOST:PORT pair that the operator
has allowed uses a connector without the address check. The caller decides whether a response is a success.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from multidict import CIMultiDictProxy

from cloud.foundation.egress.addresses import is_public, read_address
from cloud.foundation.egress.errors import UrlBlocked, UrlMalformed
from cloud.foundation.egress.resolver import NameUnresolved, Resolver, SystemResolver
from cloud.foundation.egress.target import AllowList, Target, read_target

REQUEST_S_MAX = 15.0
"""Time from the name look-up to the last byte that is read of the response."""
RESPONSE_BYTES_MAX = 65_536
JUDGE_S_MAX = 5.0
"""Time limit of the name look-up when a client registers a URL, since the client waits for it."""
# Below the five seconds after which common servers close a connection, to avoid a request on a closing one.
KEEP_ALIVE_S = 4.0
HEADERS_MAX = 64
HEADER_OCTETS_MAX = 4096
READ_OCTETS = 16_384
TARGETS_KEPT = 4096
CONNECT_S_MAX = 10.0
USER_AGENT = "Argus/1"

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Judge = Callable[[IPv4Address | IPv6Address], bool]


class FailureReason(StrEnum):
    """The public reason why a request has no response. It discloses nothing about the internal network."""

    BLOCKED_ADDRESS = "blocked_address"
    DNS_FAILURE = "dns_failure"
    CONNECT_FAILURE = "connect_failure"
    TLS_FAILURE = "tls_failure"
    TIMEOUT = "timeout"
    CONNECTION_LOST = "connection_lost"
    RESPONSE_MALFORMED = "answer_malformed"


@dataclass(frozen=True, slots=True)
class Failure:
    """The outcome of a request that got no response."""

    reason: FailureReason


@dataclass(frozen=True, slots=True)
class Response:
    """The response of an external server. `body` is at most the first 64 KiB, not decoded, and shorter if the rest did
    not arrive in time. `complete` is True when `body` is the whole body."""

    status: int
    headers: CIMultiDictProxy[str] = field(repr=False)
    body: bytes = field(repr=False)
    complete: bool


class _AddressRefused(OSError):
    """The address is not public. An `OSError`, because that is what the connector expects of a socket."""


class Egress:
    """The HTTP client for external addresses, for use within one event loop. If `resolver` or `tls` is None, the
    system's name resolution or TLS settings are used. The function passed as `judge` decides whether an IP address may
    be called; only tests replace it."""

    def __init__(
        self,
        allowed: AllowList,
        resolver: Resolver | None = None,
        *,
        tls: ssl.SSLContext | None = None,
        judge: Judge = is_public,
        request_s_max: float = REQUEST_S_MAX,
    ) -> None:
        self._allowed = allowed
        self._own_resolver = SystemResolver() if resolver is None else None
        self._resolver: Resolver = resolver or self._own_resolver or SystemResolver()
        self._tls = tls
        self._judge = judge
        self._request_s_max = request_s_max
        self._targets: dict[str, Target] = {}  # cached, since the result depends only on the text
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def judge(self, text: str) -> Target:
        """Return the parsed URL if it may be called now. A name that does not resolve is accepted, since every call
        resolves the name again. Raises `UrlMalformed`, `UrlBlocked`."""
        target = read_target(text, self._allowed)
        if target.permitted or read_address(target.host) is not None:
            return target
        try:
            async with asyncio.timeout(JUDGE_S_MAX):
                addresses = await self._resolver.resolve(target.host, target.port)
        except (NameUnresolved, TimeoutError):
            return target
        if not self._all_public(addresses):
            raise UrlBlocked("(The name leads to an address that is not public.)")
        return target

    async def request(self, method: str, url: str, *, headers: Mapping[str, str], body: bytes) -> Response | Failure:
        """Check the URL by the current rules and send one request; return the response, or the reason why there is no
        response. A URL that the rules refuse gives a `Failure` and no exception."""
        target = self._targets.get(url)
        if target is None:
            try:
                target = read_target(url, self._allowed)
            except (UrlBlocked, UrlMalformed):
                return Failure(FailureReason.BLOCKED_ADDRESS)
            if len(self._targets) >= TARGETS_KEPT:
                self._targets.clear()
            self._targets[url] = target
        return await self.send(method, target, headers=headers, body=body)

    async def send(self, method: str, target: Target, *, headers: Mapping[str, str], body: bytes) -> Response | Failure:
        """Send one request to a URL that `read_target` has checked. Return the response, or the reason why there is no
        response."""
        session = self._session(target.permitted)
        deadline_s = asyncio.get_running_loop().time() + self._request_s_max
        try:
            async with asyncio.timeout_at(deadline_s):
                response = await session.request(method, target.url, headers=headers, data=body, allow_redirects=False)
        except TimeoutError:
            return Failure(FailureReason.TIMEOUT)
        except (aiohttp.ClientError, NameUnresolved, OSError, ValueError) as error:
            return Failure(_reason(error))
        read, complete = await _read(response, deadline_s)
        return Response(response.status, response.headers, read, complete)

    async def open_stream(self, host: str, port: int, *, tls: bool) -> Stream | Failure:
        """Open a TCP or TLS connection for another protocol than HTTP, under the rules of a URL. `host` is a name or an
        address, an IPv6 address in brackets. The caller closes the writer and limits the time of its exchange."""
        try:
            target = read_target(f"https://{host}:{port}/", self._allowed)
            async with asyncio.timeout(CONNECT_S_MAX):
                return await self._connect(await self._addresses_of(target), target, tls=tls)
        except (UrlBlocked, UrlMalformed):
            return Failure(FailureReason.BLOCKED_ADDRESS)
        except TimeoutError:
            return Failure(FailureReason.TIMEOUT)
        except ConnectionRefusedError:
            return Failure(FailureReason.CONNECT_FAILURE)
        except (NameUnresolved, OSError) as error:
            return Failure(_reason(error))

    async def _addresses_of(self, target: Target) -> Sequence[str]:
        """Return the addresses of a target. Raises `NameUnresolved`, and `_AddressRefused` if one is not public."""
        if read_address(target.host) is not None:
            return [target.host]  # `read_target` has checked it
        addresses = await self._resolver.resolve(target.host, target.port)
        if not target.permitted and not self._all_public(addresses):
            raise _AddressRefused
        return addresses

    async def _connect(self, addresses: Sequence[str], target: Target, *, tls: bool) -> Stream:
        """Connect to the first address that accepts a connection. Raises the error of the last one."""
        context, name = (self._context(), target.host) if tls else (None, None)
        for last, address in enumerate(addresses, 1 - len(addresses)):
            try:
                return await asyncio.open_connection(
                    address, target.port, ssl=context, server_hostname=name, limit=READ_OCTETS
                )
            except ssl.SSLError:
                raise
            except OSError:
                if last == 0:
                    raise
        raise NameUnresolved

    async def close(self) -> None:
        """Close all connections, and the resolver if this client created it."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()
        if self._own_resolver is not None:
            self._own_resolver.close()

    def _session(self, permitted: bool) -> aiohttp.ClientSession:
        found = self._sessions.get(permitted)
        if found is None:
            found = self._sessions[permitted] = self._new_session(permitted)
        return found

    def _new_session(self, permitted: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_Judging(self._resolver, None if permitted else self._all_public),
            socket_factory=_open_socket if permitted else self._open_public_socket,
            use_dns_cache=False,
            ssl=self._context(),
            limit=0,  # callers limit their requests fairly; a queue in the connector would not be fair
            keepalive_timeout=KEEP_ALIVE_S,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S_MAX),
            read_bufsize=READ_OCTETS,
            max_line_size=HEADER_OCTETS_MAX,
            max_field_size=HEADER_OCTETS_MAX,
            max_headers=HEADERS_MAX,
        )

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            # Not before the first connection: loading the machine's certificates takes ten milliseconds.
            self._tls = ssl.create_default_context()
        return self._tls

    def _all_public(self, addresses: Sequence[str]) -> bool:
        """Return whether all addresses of a name are public. A name with public and private addresses may begin a DNS
        rebinding attack."""
        return all(self._is_public(text) for text in addresses)

    def _is_public(self, text: str) -> bool:
        address = read_address(text)
        return address is not None and self._judge(address)

    def _open_public_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """Open a socket for the address `info`, after a last check that the address is public."""
        if not self._is_public(str(info[4][0])):
            raise _AddressRefused
        return _open_socket(info)


def _open_socket(info: aiohttp.AddrInfoType) -> socket.socket:
    family, kind, protocol, *_ = info
    return socket.socket(family, kind, protocol)


class _Judging(AbstractResolver):
    """Adapts our resolver to aiohttp. With `are_public`, a name is refused if any of its addresses is not public."""

    def __init__(self, resolver: Resolver, are_public: Callable[[Sequence[str]], bool] | None) -> None:
        self._resolver = resolver
        self._are_public = are_public

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = await self._resolver.resolve(host, port)
        if self._are_public is not None and not self._are_public(addresses):
            raise _AddressRefused
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
            for address in addresses
        ]

    async def close(self) -> None:
        """Do nothing: the connector does not own the resolver."""


async def _read(response: aiohttp.ClientResponse, deadline_s: float) -> tuple[bytes, bool]:
    """Read at most 64 KiB of the body. Return the bytes that arrived before the deadline or the end of the connection,
    and whether they are the whole body."""
    if response.content.at_eof():
        response.release()
        return b"", True
    read = bytearray()
    try:
        async with asyncio.timeout_at(deadline_s):
            while len(read) <= RESPONSE_BYTES_MAX:
                part = await response.content.read(RESPONSE_BYTES_MAX + 1 - len(read))
                if not part:
                    response.release()
                    return bytes(read), True
                read += part
    except (aiohttp.ClientError, OSError):  # a TimeoutError is an OSError
        pass
    finally:
        response.close()  # no effect on a released response
    return bytes(read[:RESPONSE_BYTES_MAX]), False


def _reason(error: BaseException) -> FailureReason:
    """Return the public reason for an exception of aiohttp, of the resolver or of the address check."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, _AddressRefused):
            return FailureReason.BLOCKED_ADDRESS
        if isinstance(seen, NameUnresolved):
            return FailureReason.DNS_FAILURE
        seen = seen.__cause__
    match error:
        case aiohttp.InvalidURL():
            return FailureReason.BLOCKED_ADDRESS
        case aiohttp.ClientSSLError() | ssl.SSLError() | ssl.CertificateError():
            return FailureReason.TLS_FAILURE
        case aiohttp.ClientConnectorError():
            return FailureReason.CONNECT_FAILURE
        case aiohttp.ServerDisconnectedError() | aiohttp.ClientOSError() | OSError():
            return FailureReason.CONNECTION_LOST
        case _:
            return FailureReason.RESPONSE_MALFORMED
