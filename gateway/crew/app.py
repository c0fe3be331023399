"""The crew page's web server: sessions, and live values.

It runs inside the gateway's process. A failure to start (a port in use) is raised to the gateway, which continues
without the page. The page is not an alarm system: it states that the monitor's own screen is primary.

In the vehicle's network everything is served over TLS, except the page that offers the vehicle's authority (`welcome`).
On a loopback address, which no other machine reaches, the page is served without TLS.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson
from aiohttp import web

from gateway.crew.access import Access
from gateway.crew.connections import IDLE_S_MAX, CrewConnection, CrewConnections
from gateway.crew.cookies import SessionCookies
from gateway.crew.doorway import Doorway
from gateway.crew.ended_sessions import EndedSessions, SmallStore
from gateway.crew.handover import HandoverPages, HandoverParts
from gateway.crew.languages import Language, texts_module
from gateway.crew.missions import MissionPages
from gateway.crew.pages import Pages, language_of
from gateway.crew.pairing import PairingPages, PairingParts
from gateway.crew.refusals import explained, refusal_page
from gateway.crew.reports import Reports
from gateway.crew.request_checks import is_own_origin, own_names, require_own_host
from gateway.crew.routes import SESSION, STATIC, CrewRoute, CrewSession, Handler, RouteTable
from gateway.crew.server_certificate import ServerCertificates
from gateway.crew.session import LiveSessions, Marks, MemberSessions
from gateway.crew.shares import Rate, Rates, StreamPlaces
from gateway.crew.shell import Shell
from gateway.crew.sign_in import SignIn
from gateway.crew.snapshots import Snapshots
from gateway.crew.stream import live_events
from gateway.crew.tablet_queue import TabletQueueKeys
from gateway.crew.trends import Trends
from gateway.crew.waveforms import STRIPS
from gateway.crew.welcome import welcome_app
from gateway.epcr.call_observations import CallObservations
from gateway.epcr.drafts import Drafts
from gateway.epcr.missions import Missions
from gateway.live import LiveFeed
from gateway.security.crew_members import CrewMembers
from gateway.security.crew_pin import CrewPin
from gateway.sessions.clocks.boots import Boots
from gateway.transports.clock import Clock

_STATIC = Path(__file__).parent / "static"
BODY_BYTES_MAX = 1024
"""The only body is a PIN."""
PAGES_MAX = 16
"""Live pages at one time: every seat of two crews. More than that are pages left open."""
ADDRESS_PAGES_MAX = 6
"""Live pages of one address: the connections that a browser opens to one host."""
TRENDS = Rate("trends", burst=12, every_s=2.0)
"""Requests of the trends: an open view sends one every ten seconds, and one response has up to 46,000 numbers."""
WRITE_S = 10.0
"""Seconds for one write; a tablet that takes longer is out of range, and its place is freed."""
WAVES_MAX = len(STRIPS)
"""Waveforms that one page can name: one for each strip."""
LINGER_S = 1.0
"""Seconds that the rest of a refused body is read before the connection ends, so that the browser sees the refusal."""
ENDED_LIVE_STATE, ENDED_MEMBERS_STATE = "crew_ended_live", "crew_ended_members"
"""Names under which the store keeps the ended sessions."""
SECURITY_HEADERS = {
    "Server": "Argus",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "worker-src 'self'; manifest-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
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
    recorded at all. `gaps`: number of periods with lost data. `set_aside`: number of damaged stores. `calls`: number
    of open calls from the dispatch system. `calls_changed`: number of versions of calls that came since the start.
    `departures`: by the id of a device, how many kinds of deviation from its standard it showed, and how many of
    them lost a value."""

    online: bool
    backlog: int
    acknowledged: int
    store_ok: bool
    recording: bool
    gaps: int
    set_aside: int
    calls: int = 0
    calls_changed: int = 0
    departures: Mapping[str, tuple[int, int]] = field(default_factory=dict)


class CrewApp:
    """The crew page of one vehicle. The keys of its cookies derive from `store_key`. `boots`: the machine's earlier
    boots that the gateway remembers, so that a session continues after a reboot. If `boots` is None, a reboot ends all
    sessions. `store`: keeps which sessions have ended; without it a restart forgets them. `lock_after_s`: seconds
    without use after which a member's session is locked. Without `drafts` and `observations` there are no report
    drafts, without `handover` no pages of the hand-over, and without `pairing` no pairing. `tls` None: plain HTTP, for
    a loopback address."""

    def __init__(
        self,
        *,
        live: LiveFeed,
        status: Callable[[], CrewStatus],
        pin: CrewPin,
        members: CrewMembers,
        store_key: bytes,
        vehicle: str,
        host: str,
        port: int,
        clock: Clock,
        boots: Boots | None = None,
        store: SmallStore | None = None,
        host_names: frozenset[str] = frozenset(),
        lock_after_s: float = 300.0,
        drafts: Drafts | None = None,
        missions: Missions | None = None,
        observations: CallObservations | None = None,
        handover: HandoverParts | None = None,
        pairing: PairingParts | None = None,
        tls: ServerCertificates | None = None,
    ) -> None:
        self._live = live
        self._trends = Trends(live)
        self._status = status
        self._host = host
        self._port = port
        self._clock = clock
        boots = boots or Boots(clock)
        ended_live, ended = EndedSessions(ENDED_LIVE_STATE, store), EndedSessions(ENDED_MEMBERS_STATE, store)
        self._ended = (ended_live, ended)
        self.member_sessions = MemberSessions(store_key, boots, lock_after_s, ended)
        self._missions = missions
        self._cookies = SessionCookies(
            Marks(store_key),
            LiveSessions(store_key, pin.text, boots, ended_live),
            self.member_sessions,
            secure=tls is not None,
        )
        self._pages = Pages(vehicle, lock_after_s)
        self._pairing = None if pairing is None else PairingPages(pairing, clock)
        self._sign_in = SignIn(pin=pin, members=members, cookies=self._cookies, pages=self._pages, clock=clock)
        self.routes = (
            CrewRoute("GET", "/", self._page, Access.LIVE, page=True),
            CrewRoute("GET", "/live", self._stream, Access.LIVE),
            CrewRoute("GET", "/trends", self._read_trends, Access.LIVE, rate=TRENDS),
            CrewRoute("GET", "/texts/{language}/{part}.js", self._texts, Access.OPEN),
            *Shell(self._pages, _STATIC).routes(),
            *self._sign_in.routes(),
            *TabletQueueKeys(store_key, self._sign_in.members).routes(),
            *self._report_routes(drafts, observations, members),
            *(() if missions is None else MissionPages(missions, clock).routes()),
            *(() if self._pairing is None else self._pairing.routes()),
            *(() if handover is None else HandoverPages(handover, clock, self._pages).routes()),
            *(() if handover is None or drafts is None else Snapshots(drafts, clock, handover.zone).routes()),
        )
        self._table = RouteTable(self.routes, Rates(clock))
        self._host_names = own_names() | host_names
        self._connections = CrewConnections(clock)
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._doorway: Doorway | None = None
        self._places = StreamPlaces(total=PAGES_MAX, each=ADDRESS_PAGES_MAX)
        self._runners: list[web.AppRunner] = []

    def _report_routes(
        self, drafts: Drafts | None, observations: CallObservations | None, members: CrewMembers
    ) -> tuple[CrewRoute, ...]:
        if drafts is None or observations is None:
            return ()
        return Reports(drafts, observations, self._clock, self._pages, self.member_sessions.is_open, members).routes()

    @property
    def port(self) -> int:
        """The port that the page listens on, also where the settings name port 0."""
        if self._doorway is not None:
            return self._doorway.port
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Read which sessions have ended, then listen. Raises OSError when the address cannot be bound."""
        for each in self._ended:
            await each.load()
        app = web.Application(client_max_size=BODY_BYTES_MAX, middlewares=[self._guard])
        self._table.register(app)
        app.router.add_static(STATIC, _STATIC)
        pages = await self._factory(app)
        if self._tls is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(pages, self._host, self._port, reuse_address=True)
            return
        welcome = welcome_app(self._pages, self._tls.authority, self._host_names, _STATIC)
        self._tls.refresh()
        doorway = Doorway(secure=pages, plain=await self._factory(welcome), tls=self._tls.context, clock=self._clock)
        doorway.open(self._host, self._port)
        self._doorway = doorway

    async def _factory(self, app: web.Application) -> Callable[[], CrewConnection]:
        """Return the factory of the connections to an application."""
        app.on_response_prepare.append(_secure)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=1.0)
        self._runners.append(runner)
        await runner.setup()
        assert runner.server is not None
        return self._connections.factory(
            runner.server,
            loop=asyncio.get_running_loop(),
            access_log=None,
            keepalive_timeout=IDLE_S_MAX,
            lingering_time=LINGER_S,
            auto_decompress=False,  # `form_fields` refuses a compressed form: nothing is unpacked before the PIN
        )

    async def serve(self) -> None:
        """Collect trends, and close connections that send no request or read no response, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._connections.sweep())
            group.create_task(self._trends.follow())
            if self._pairing is not None:
                group.create_task(self._pairing.run())

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        if self._doorway is not None:
            await self._doorway.close()
        for runner in self._runners:
            await runner.cleanup()

    @web.middleware
    async def _guard(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Require the gateway's own host name, this site's origin for requests that change something, and the access
        of the route. A request that changes something is a use of the tablet."""
        session = self._sign_in.identify(request)
        if session is not None:
            request[SESSION] = session
        with self._connections.serving(request, signed_in=session is not None):
            try:
                return await self._respond(request, handler, session)
            except web.HTTPException as refusal:
                page = refusal_page(self._pages, request, refusal)
                if page is None:
                    raise
                return page

    async def _respond(self, request: web.Request, handler: Handler, session: CrewSession | None) -> web.StreamResponse:
        require_own_host(request, self._host_names)
        changes = request.method not in ("GET", "HEAD")
        if changes and not is_own_origin(request):
            raise explained(request, web.HTTPForbidden, "page.problem.foreign_origin")
        self._table.require_access(request)
        self._table.require_rate(request)
        response = await handler(request)
        if changes and session is not None and session.member is not None and not response.prepared:
            self._cookies.renew(response, session.member)
        return response

    async def _texts(self, request: web.Request) -> web.StreamResponse:
        """Return the texts of one part for the page's scripts."""
        module = texts_module(request.match_info["language"], request.match_info["part"])
        if not module:
            raise web.HTTPNotFound(text="No such texts. Reload the page.\n")
        return web.Response(body=module, content_type="text/javascript")

    async def _page(self, request: web.Request) -> web.StreamResponse:
        return self._pages.render(request, "live.html", monitor_settings=True, pairing=self._pairing is not None)

    async def _read_trends(self, request: web.Request) -> web.StreamResponse:
        form = self._trends.form(self._clock.monotonic_s(), language_of(request))
        return web.Response(body=orjson.dumps(form), content_type="application/json")

    def events(self, wanted: Sequence[str], words: Language, *, twelve: bool) -> AsyncIterator[bytes]:
        """Yield the encoded events of one page without end. `wanted`: ids of the waveforms that the tablet showed last.
        `words`: the language of the page. `twelve`: the page also draws the leads of the 12-lead ECG.

        A test overrides it to count what a page has to receive.
        """
        return live_events(
            self._live,
            self._status_form,
            self._clock,
            wanted,
            words,
            twelve=twelve,
            notice=lambda: 0 if self._missions is None else self._missions.received,
            watchers=None if self._missions is None else self._missions.watchers,
        )

    def _status_form(self) -> dict[str, Any]:
        status = self._status()
        return {each.name: getattr(status, each.name) for each in fields(status)} | {
            "departures": dict(status.departures)
        }

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "X-Accel-Buffering": "no"})
        with self._places.place(request) as place, suppress(ConnectionResetError, TimeoutError):
            # Suppressed: the page was closed or is out of range; the browser reconnects when it returns.
            await response.prepare(request)
            wanted = request.query.getall("wave", [])[:WAVES_MAX]
            twelve = request.query.get("leads") == "12"
            async for message in self.events(wanted, language_of(request), twelve=twelve):
                if place.given_away:
                    break
                async with asyncio.timeout(WRITE_S):
                    await response.write(message)
        return response


async def _secure(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)
