"""The crew page's little web server: sign in with the PIN, look at what is live.

It runs inside the gateway's process and only reads: it can neither slow a device down nor change a record. A failure to
start (a port that is taken) is told to the gateway, which goes on without the page. Not an alarm system: the page
says that the monitor's own screen is primary (DESIGN D18).
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jinja2
from aiohttp import web

from gateway.crew.session import COOKIE, SESSION_S, issue, valid
from gateway.crew.stream import live_events
from gateway.live import LiveFeed
from gateway.security.crew_pin import CrewPin, Wait
from gateway.transports.clock import Clock

_HERE = Path(__file__).parent
BODY_BYTES_MAX = 1024
"""The only body is a PIN."""
PAGES_MAX = 16
"""Live pages at one time: every seat of two crews; more is a page that forgot to close."""
WRITE_S = 10.0
"""A tablet that takes nothing for so long is out of range; its place is given back."""
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CrewStatus:
    """What a crew must know of store and network. `backlog` counts observations that the cloud has not confirmed.
    `store_ok` false: new values are not kept (a full disk); `recording` false: nothing at all is. `gaps` counts
    stretches that were lost, `set_aside` damaged stores that lie aside."""

    online: bool
    backlog: int
    store_ok: bool
    recording: bool
    gaps: int
    set_aside: int


Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CrewApp:
    """The page of one vehicle. `key` signs its cookies (`session.session_key`)."""

    def __init__(
        self,
        *,
        live: LiveFeed,
        status: Callable[[], CrewStatus],
        pin: CrewPin,
        key: bytes,
        vehicle: str,
        host: str,
        port: int,
        clock: Clock,
    ) -> None:
        self._live = live
        self._status = status
        self._pin = pin
        self._key = key
        self._vehicle = vehicle
        self._host = host
        self._port = port
        self._clock = clock
        self._open_pages = 0
        self._templates = jinja2.Environment(loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True)
        self._runner: web.AppRunner | None = None

    @property
    def port(self) -> int:
        """The port that it listens on, also when any free one was asked for."""
        assert self._runner is not None
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Raises OSError when the address cannot be had."""
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        app.on_response_prepare.append(_secure)
        app.add_routes(
            [
                web.get("/", self._page),
                web.get("/sign-in", self._sign_in_page),
                web.post("/sign-in", self._sign_in),
                web.post("/sign-out", self._sign_out),
                web.get("/live", self._stream, allow_head=False),
                web.static("/static", _HERE / "static"),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Everything but the sign-in and what it looks like needs the PIN; forms come from our own pages only."""
        if request.method == "POST" and request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
            raise web.HTTPForbidden(text="This form must be sent from the gateway's own page.")
        open_to_all = request.path == "/sign-in" or request.path.startswith("/static/")
        if not open_to_all and not self._signed_in(request):
            if request.path == "/":
                raise web.HTTPSeeOther("/sign-in")
            raise web.HTTPUnauthorized(text="Enter the PIN first.")
        return await handler(request)

    def _signed_in(self, request: web.Request) -> bool:
        return valid(self._key, request.cookies.get(COOKIE, ""), self._clock.wall_us())

    def _render(self, template: str, status: int = 200, **values: object) -> web.Response:
        text = self._templates.get_template(template).render(vehicle=self._vehicle, **values)
        return web.Response(text=text, status=status, content_type="text/html")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._render("live.html")

    async def _sign_in_page(self, request: web.Request) -> web.StreamResponse:
        if self._signed_in(request):
            raise web.HTTPSeeOther("/")
        return self._render("sign_in.html", said="")

    async def _sign_in(self, request: web.Request) -> web.StreamResponse:
        guess = (await request.post()).get("pin", "")
        verdict = self._pin.check(
            guess if isinstance(guess, str) else "", request.remote or "", self._clock.monotonic_s()
        )
        if isinstance(verdict, Wait):
            said = f"Too many wrong tries. Wait {max(1, round(verdict.seconds))} s, then try again."
            return self._render("sign_in.html", 429, said=said)
        if verdict == "wrong":
            return self._render("sign_in.html", 403, said="That is not this vehicle's PIN. Try again.")
        answer = web.HTTPSeeOther("/")
        cookie = issue(self._key, self._clock.wall_us())
        answer.set_cookie(COOKIE, cookie, max_age=SESSION_S, httponly=True, samesite="Strict", path="/")
        raise answer

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        answer = web.HTTPSeeOther("/sign-in")
        answer.del_cookie(COOKIE, path="/")
        raise answer

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        if self._open_pages >= PAGES_MAX:
            raise web.HTTPServiceUnavailable(text="Too many pages are open. Close one of them.")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        self._open_pages += 1
        try:
            await response.prepare(request)
            wave = request.query.get("wave", "")
            async for octets in live_events(self._live, lambda: asdict(self._status()), self._clock, wave):
                async with asyncio.timeout(WRITE_S):
                    await response.write(octets)
        except (ConnectionResetError, TimeoutError):
            # The page went away or out of range; the browser asks again when it returns.
            pass
        finally:
            self._open_pages -= 1
        return response


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
