"""Checks of a request to the crew page before it is handled: its host, its origin, its cookies, its form.

A host name that is not the gateway's own is refused: a web site could point its own name at the gateway (DNS rebinding)
and would then read the page as its own. A site cannot do this with an IP address. `app` checks whether the tablet has
signed in.
"""

import ipaddress
import socket
from typing import Any
from urllib.parse import parse_qs, urlsplit

import orjson
from aiohttp import web

from gateway.security.vehicle_authority import mdns_hosts
from gateway.transports.clock import Clock

FORM_TYPE = "application/x-www-form-urlencoded"
JSON_TYPE = "application/json"
FORM_FIELDS_MAX = 4
"""Fields of a form; the largest has two."""
BODY_S_MAX = 5.0
"""Seconds in which the body of a form, one packet, must be complete."""
JSON_S_MAX = 15.0
"""Seconds in which a body of JSON, at most 200 KiB, must be complete at the edge of the radio's range."""
COOKIE_CHARACTERS_MAX = 256
"""Longest cookie that is read; those that this page sets are shorter."""


def own_names() -> frozenset[str]:
    """Return the names of this machine for a browser in the vehicle: localhost, the host name, and its mDNS names."""
    name = socket.gethostname().partition(".")[0].lower()
    return frozenset({"localhost", name, f"{name}.local", *mdns_hosts()})


def require_own_host(request: web.Request, names: frozenset[str]) -> None:
    """Raise 421 where the Host header is neither an IP address nor one of `names`."""
    host = _host_of(f"//{request.headers.get('Host', '')}")
    if host in names or _is_address(host):
        return
    raise web.HTTPMisdirectedRequest(
        text="The crew page is not served under this name. Use the gateway's address, or add the name to "
        "[crew] host_names in the gateway's settings.\n"
    )


def is_own_origin(request: web.Request) -> bool:
    """Return whether a page of this gateway sent the form. Browsers send an Origin header with every POST (Fetch
    standard)."""
    fetch_site = request.headers.get("Sec-Fetch-Site", "same-origin")
    origin = request.headers.get("Origin")
    foreign = origin is not None and origin.lower() != f"{request.scheme}://{request.headers.get('Host', '')}".lower()
    return not foreign and fetch_site == "same-origin"


def cookie(request: web.Request, name: str) -> str:
    """Return the cookie's value; "" where it is absent, longer than this page's cookies, or not ASCII."""
    value = request.cookies.get(name, "")
    return value if value.isascii() and len(value) <= COOKIE_CHARACTERS_MAX else ""


async def form_fields(request: web.Request, clock: Clock) -> dict[str, str]:
    """Return the fields of the form in the body, the first of each name. Raises 400, 408, 413 or 415 with the reason as
    text."""
    if request.content_type != FORM_TYPE:
        raise web.HTTPUnsupportedMediaType(text=f"Send the form as {FORM_TYPE}.\n")
    if "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text="Send the form without a content coding.\n")
    body = await _body(request, clock, BODY_S_MAX)
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=FORM_FIELDS_MAX, errors="strict")
    except ValueError:
        raise web.HTTPBadRequest(text="The form cannot be read. Open the page and try again.\n") from None
    return {name: values[0] for name, values in fields.items()}


async def json_object(request: web.Request, clock: Clock, *, bytes_max: int) -> dict[str, Any]:
    """Return the JSON object in the body, of at most `bytes_max` bytes. Raises 400, 408, 413 or 415 with the reason as
    text, which never repeats the body."""
    if request.content_type != JSON_TYPE or "Content-Encoding" in request.headers:
        raise web.HTTPUnsupportedMediaType(text=f"Send the request as {JSON_TYPE}, without a content coding.\n")
    # The limit of the application is that of its forms; a report has requests of its own size.
    body = await _body(request.clone(client_max_size=bytes_max), clock, JSON_S_MAX)
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise web.HTTPBadRequest(text="The body is not a JSON object.\n")
    return found


async def _body(request: web.BaseRequest, clock: Clock, limit_s: float) -> bytes:
    try:
        async with clock.timeout_at(clock.monotonic_s() + limit_s):
            return await request.read()
    except TimeoutError:
        timed_out = web.HTTPRequestTimeout(text="The request did not arrive completely. Try again.\n")
        timed_out.force_close()
        raise timed_out from None


def _host_of(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".").lower()
    except ValueError:
        return ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
