"""One OPTIONS exchange of SIP (RFC 3261) over an open connection: the usual way to find out whether a gateway is alive.

The gateway may require the credentials of the trunk (RFC 3261 section 22). Then a second request has a digest
(RFC 7616, and RFC 8760 for SIP), with SHA-256 if the gateway offers it.
"""

import asyncio
import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

HEAD_BYTES_MAX = 16_384
RESPONSES_MAX = 8
"""Provisional responses and keep-alives before the final response."""
_STATUS_LINE = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2})( [^\r\n]*)?")
_PARAMETER = re.compile(r'([A-Za-z-]{1,32})=(?:"([^"]{0,512})"|([^\s,"]{1,256}))')
_HASHES = {"sha-256": "sha256", "md5": "md5"}


class SipMalformed(Exception):
    """The other end does not speak SIP."""


@dataclass(frozen=True, slots=True)
class SipResponse:
    """A final response: its status, and the challenges of a 401 or 407."""

    status: int
    challenges: tuple[str, ...]


@dataclass(frozen=True, slots=True, repr=False)
class Trunk:
    """The other end as the settings name it. `transport` is TCP or TLS."""

    host: str
    port: int
    transport: str
    username: str | None = None
    password: str | None = None

    @property
    def uri(self) -> str:
        scheme = "sips" if self.transport == "TLS" else "sip"
        return f"{scheme}:{self.host}:{self.port}"


async def send_options(trunk: Trunk, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> SipResponse:
    """Send OPTIONS and return the final response, to the second request if the first one was challenged. Raises
    `SipMalformed`, `OSError`, `asyncio.IncompleteReadError`."""
    call_id, tag, local = secrets.token_hex(12), secrets.token_hex(4), _local_address(writer)
    response = await _exchange(_request(trunk, call_id, tag, local, 1), call_id, reader, writer)
    if response.status not in (401, 407) or trunk.username is None or trunk.password is None:
        return response
    proof = _credentials(trunk, response.challenges)
    if proof is None:
        return response
    name = "Authorization" if response.status == 401 else "Proxy-Authorization"
    again = _request(trunk, call_id, tag, local, 2, f"{name}: {proof}\r\n")
    return await _exchange(again, call_id, reader, writer)


def _request(trunk: Trunk, call_id: str, tag: str, local: str, number: int, more: str = "") -> bytes:
    user = trunk.username or "argus"
    return (
        f"OPTIONS {trunk.uri} SIP/2.0\r\n"
        f"Via: SIP/2.0/{trunk.transport} {local};branch=z9hG4bK{secrets.token_hex(8)};rport\r\n"
        "Max-Forwards: 70\r\n"
        f"From: <sip:{user}@{local}>;tag={tag}\r\n"
        f"To: <{trunk.uri}>\r\n"
        f"Call-ID: {call_id}\r\n"
        f"CSeq: {number} OPTIONS\r\n"
        f"Contact: <sip:{user}@{local}>\r\n"
        "Accept: application/sdp\r\n"
        f"{more}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


async def _exchange(
    request: bytes, call_id: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> SipResponse:
    writer.write(request)
    await writer.drain()
    for _ in range(RESPONSES_MAX):
        response = await _read(reader, call_id)
        if response is not None and response.status >= 200:
            return response
    raise SipMalformed


async def _read(reader: asyncio.StreamReader, call_id: str) -> SipResponse | None:
    """Read one response; return None for one of another call, and for a keep-alive."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise SipMalformed from None
    if len(head) > HEAD_BYTES_MAX:
        raise SipMalformed
    if not head.strip():
        return None
    lines = head.strip().split(b"\r\n")
    found = _STATUS_LINE.fullmatch(lines[0])
    if found is None:
        raise SipMalformed
    headers: list[tuple[str, str]] = []
    for line in lines[1:]:
        name, _, value = line.decode("utf-8", "replace").partition(":")
        headers.append((name.strip().lower(), value.strip()))
    length = next((value for name, value in headers if name in ("content-length", "l")), "0")
    if not length.isascii() or not length.isdigit() or len(length) > 5 or int(length) > HEAD_BYTES_MAX:
        raise SipMalformed
    await reader.readexactly(int(length))
    if call_id not in {value for name, value in headers if name in ("call-id", "i")}:
        return None
    asked = tuple(value for name, value in headers if name in ("www-authenticate", "proxy-authenticate"))
    return SipResponse(int(found[1]), asked)


def _credentials(trunk: Trunk, challenges: tuple[str, ...]) -> str | None:
    """Return the digest credentials for the strongest challenge that we support; None if there is none."""
    offered = [_parameters(one) for one in challenges if one[:7].lower() == "digest "]
    for algorithm in _HASHES:
        for one in offered:
            if one.get("algorithm", "MD5").lower() == algorithm and {"realm", "nonce"} <= one.keys():
                return _digest(trunk, one, algorithm)
    return None


def _parameters(challenge: str) -> Mapping[str, str]:
    return {found[1].lower(): found[2] or found[3] or "" for found in _PARAMETER.finditer(challenge[7:4096])}


def _digest(trunk: Trunk, asked: Mapping[str, str], algorithm: str) -> str:
    def hashed(text: str) -> str:
        return hashlib.new(_HASHES[algorithm], text.encode(), usedforsecurity=False).hexdigest()

    realm, nonce, client_nonce = asked["realm"], asked["nonce"], secrets.token_hex(8)
    secret = hashed(f"{trunk.username}:{realm}:{trunk.password}")
    method = hashed(f"OPTIONS:{trunk.uri}")
    protected = "auth" in [one.strip() for one in asked.get("qop", "").split(",")]
    middle = f"{nonce}:00000001:{client_nonce}:auth" if protected else nonce
    parts = {
        "username": trunk.username,
        "realm": realm,
        "nonce": nonce,
        "uri": trunk.uri,
        "response": hashed(f"{secret}:{middle}:{method}"),
        **({"opaque": asked["opaque"]} if "opaque" in asked else {}),
        **({"cnonce": client_nonce} if protected else {}),
    }
    fields = [f'{name}="{value}"' for name, value in parts.items()]
    fields += [f"algorithm={algorithm.upper()}"] + (["qop=auth", "nc=00000001"] if protected else [])
    return "Digest " + ", ".join(fields)


def _local_address(writer: asyncio.StreamWriter) -> str:
    host, port, *_ = writer.get_extra_info("sockname")
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
