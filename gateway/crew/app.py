"""The crew page's web server: sign in with the PIN, and watch live values.

It runs inside the gateway's process and only reads, so it can neither slow a device down nor change a record. A failure
to start (a port in use) is raised to the gateway, which continues without the page. The page is not an alarm system: it
states that the monitor's own screen is primary.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
import orjson
from aiohttp import web

from gateway.crew.connections import IDLE_S_MAX, CrewConnections
from gateway.crew.languages import COOKIE as LANGUAGE_COOKIE
from gateway.crew.languages import LANGUAGES, Language, choose_language, language
from gateway.crew.request_checks import cookie, form_field, own_names, require_own_host, require_own_origin
from gateway.crew.session import COOKIE, SESSION_S, TABLET_COOKIE, TABLET_S, issue, issue_mark, tablet_of, valid
from gateway.crew.stream import live_events
from gateway.live import LiveFeed
from gateway.security.crew_pin import CrewPin, Wait
from gateway.sessions.clocks.boots import Boots
from gateway.transports.clock import Clock

_HERE = Path(__file__).parent
BODY_BYTES_MAX = 1024
"""The only body is a PIN."""
PAGES_MAX = 16
"""Live pages at one time: every seat of two crews. More than that are pages left open."""
WRITE_S = 10.0
"""Seconds for one write; a tablet that takes longer is out of range, and its place is freed."""
STRIPS_MAX = 2
"""Waveforms of one page: it has two strips."""
LINGER_S = 1.0
"""Seconds that the rest of a refused body is read before the connection ends, so that the browser sees the refusal."""
SECURITY_HEADERS = {
    "Server": "Argus",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not no-referrer: with it a browser sends "null" as the Origin of our own form (Fetch standard §3.2.5).
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewStatus:
    """State of store and uplink for the crew. `backlog`: number of observations that the cloud has not acknowledged.
    `acknowledged`: number of acknowledged batches, which does not grow while no data reaches the cloud. `store_ok`
    False: new values are not stored (a full disk, or a store that does not respond). `recording` False: nothing is
    recorded at all. `gaps`: number of periods with lost data. `set_aside`: number of damaged stores."""

    online: bool
    backlog: int
    acknowledged: int
    store_ok: bool
    recording: bool
    gaps: int
    set_aside: int


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CrewApp:
    """The crew page of one vehicle. `key` signs the session cookies, `tablet_key` the ids of known tablets. `boots`:
    the machine's earlier boots that the gateway remembers, so that a session continues after a reboot. If `boots` is
    None, a reboot ends all sessions."""

    def __init__(
        self,
        *,
        live: LiveFeed,
        status: Callable[[], CrewStatus],
        pin: CrewPin,
        key: bytes,
        tablet_key: bytes,
        vehicle: str,
        host: str,
        port: int,
        clock: Clock,
        boots: Boots | None = None,
        host_names: frozenset[str] = frozenset(),
    ) -> None:
        self._live = live
        self._status = status
        self._pin = pin
        self._key = key
        self._tablet_key = tablet_key
        self._vehicle = vehicle
        self._host = host
        self._port = port
        self._clock = clock
        self._boots = boots or Boots(clock)
        self._host_names = own_names() | host_names
        self._connections = CrewConnections(clock)
        self._server: asyncio.Server | None = None
        self._open_pages = 0
        self._templates = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that the page listens on, also where the settings name port 0."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen. Raises OSError when the address cannot be bound."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.on_response_prepare.append(_secure)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/sign-in", self._sign_in_page),
                web.post("/sign-in", self._sign_in),
                web.post("/sign-out", self._sign_out),
                web.get("/live", self._stream, allow_head=False),
                web.get("/texts/{language}/{part}.js", self._texts),
                web.static("/static", _HERE / "static"),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        assert self._runner.server is not None
        loop = asyncio.get_running_loop()
        factory = self._connections.factory(
            self._runner.server,
            loop=loop,
            access_log=None,
            keepalive_timeout=IDLE_S_MAX,
            lingering_time=LINGER_S,
            auto_decompress=False,  # `form_field` refuses a compressed form, so that nothing is unpacked before the PIN
        )
        self._server = await loop.create_server(factory, self._host, self._port, reuse_address=True)

    async def close_overdue_connections(self) -> None:
        """Close connections that send no request or read no response, until cancelled."""
        await self._connections.sweep()

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Require the gateway's own host name, this site's origin for forms, and the PIN for everything except the
        sign-in page and static files."""
        signed_in = self._signed_in(request)
        with self._connections.serving(request, signed_in=signed_in):
            require_own_host(request, self._host_names)
            if request.method == "POST":
                require_own_origin(request)
            open_to_all = request.path == "/sign-in" or request.path.startswith(("/static/", "/texts/"))
            if not open_to_all and not signed_in:
                if request.path == "/":
                    raise web.HTTPSeeOther("/sign-in")
                raise web.HTTPUnauthorized(text="Enter the PIN first.")
            return await handler(request)

    def _signed_in(self, request: web.Request) -> bool:
        return valid(self._key, cookie(request, COOKIE), self._boots)

    def _render(self, request: web.Request, template: str, status: int = 200, **values: object) -> web.Response:
        """Render a page in the language of the request. Templates have `text(key)` and `language`, the code."""
        words = language_of(request)
        text = self._templates.get_template(template).render(
            vehicle=self._vehicle, text=words.text, language=words.code, languages=LANGUAGES, **values
        )
        return web.Response(text=text, status=status, content_type="text/html")

    async def _texts(self, request: web.Request) -> web.StreamResponse:
        """Return the texts of one part as a module for the page's scripts (static/texts.js)."""
        code, part = request.match_info["language"], request.match_info["part"]
        texts = language(code).part(part) if code in LANGUAGES else {}
        if not texts:
            raise web.HTTPNotFound(text="No such texts. Reload the page.\n")
        return web.Response(body=b"export default " + orjson.dumps(texts) + b";\n", content_type="text/javascript")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._render(request, "live.html")

    async def _sign_in_page(self, request: web.Request) -> web.StreamResponse:
        if self._signed_in(request):
            raise web.HTTPSeeOther("/")
        return self._render(request, "sign_in.html", message="")

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        words = language_of(request)
        guess = await form_field(request, "pin", self._clock)
        tablet = tablet_of(self._tablet_key, cookie(request, TABLET_COOKIE))
        verdict = self._pin.check(guess, request.remote or "", self._clock.monotonic_s(), tablet=tablet)
        if isinstance(verdict, Wait):
            message = words.text("sign_in.wait", seconds=max(1, round(verdict.seconds)))
            if verdict.by_others:
                message += " " + words.text("sign_in.others_blocked")
            return self._render(request, "sign_in.html", 429, message=message)
        if verdict == "wrong":
            return self._render(request, "sign_in.html", 403, message=words.text("sign_in.wrong"))
        response = web.HTTPSeeOther("/")
        session = issue(self._key, self._boots)
        response.set_cookie(COOKIE, session, max_age=SESSION_S, httponly=True, samesite="Strict", path="/")
        mark = issue_mark(self._tablet_key) if tablet is None else cookie(request, TABLET_COOKIE)
        response.set_cookie(TABLET_COOKIE, mark, max_age=TABLET_S, httponly=True, samesite="Strict", path="/sign-in")
        raise response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        response = web.HTTPSeeOther("/sign-in")
        response.del_cookie(COOKIE, path="/")
        raise response

    def events(self, wanted: Sequence[str], words: Language) -> AsyncIterator[bytes]:
        """Yield the encoded events of one page without end. `wanted`: ids of the waveforms that the tablet showed last.
        `words`: the language of the page.

        A test overrides it to count what a page has to receive.
        """
        return live_events(self._live, lambda: asdict(self._status()), self._clock, wanted, words)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._open_pages >= PAGES_MAX:
            raise web.HTTPServiceUnavailable(text="Too many pages are open. Close one of them.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._open_pages += 1
        try:
            await response.prepare(request)
            wanted = request.query.getall("wave", [])[:STRIPS_MAX]
            async for message in self.events(wanted, language_of(request)):
                async with asyncio.timeout(WRITE_S):
                    await response.write(message)
        except (ConnectionResetError, TimeoutError):
            # The page was closed or is out of range; the browser reconnects when it returns.
            pass
        finally:
            self._open_pages -= 1
        return response


def language_of(request: web.Request) -> Language:
    """Return the language of the response to a request: the choice of its tablet, or of its browser."""
    return choose_language(cookie(request, LANGUAGE_COOKIE), request.headers.get("Accept-Language", ""))


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
