"""Signing in on a tablet, locking it, and changing the crew member who uses it.

A new tablet enters the vehicle's PIN. From then on it shows the names of the crew members, and each signs in by a tap
on the name and a personal PIN. Locking ends the member's session and leaves the live values visible; signing out ends
both.
"""

from collections.abc import Mapping, Sequence

import structlog
from aiohttp import web

from gateway.crew.access import Access
from gateway.crew.cookies import SessionCookies
from gateway.crew.pages import Pages, language_of
from gateway.crew.request_checks import form_fields
from gateway.crew.routes import SESSION, CrewRoute, CrewSession
from gateway.crew.session import Tablet
from gateway.security.crew_members import CrewMember, CrewMembers, CrewMembersUnusable
from gateway.security.crew_pin import CrewPin
from gateway.security.guess_limit import Wait
from gateway.transports.clock import Clock

log = structlog.get_logger()


class SignIn:
    """The pages and requests of signing in and locking."""

    def __init__(
        self, *, pin: CrewPin, members: CrewMembers, cookies: SessionCookies, pages: Pages, clock: Clock
    ) -> None:
        self._pin = pin
        self._members = members
        self._cookies = cookies
        self._pages = pages
        self._clock = clock
        self._fault = ""

    def routes(self) -> tuple[CrewRoute, ...]:
        return (
            CrewRoute("GET", "/sign-in", self._show, Access.OPEN),
            CrewRoute("POST", "/sign-in", self._enter, Access.OPEN),
            CrewRoute("POST", "/activity", self._note_activity, Access.LIVE),
            CrewRoute("POST", "/lock", self._lock, Access.OPEN),
            CrewRoute("POST", "/sign-out", self._sign_out, Access.OPEN),
        )

    def identify(self, request: web.Request) -> CrewSession | None:
        """Return the session of a request, or None."""
        return self._cookies.read_session(request, self.members())

    def members(self) -> Mapping[str, CrewMember]:
        """Return the crew members. A list that cannot be read is logged once, and no member can sign in."""
        try:
            found = self._members.all()
        except CrewMembersUnusable as error:
            if self._fault != str(error):
                self._fault = str(error)
                log.error("crew.members_unusable", why=self._fault)
            return {}
        self._fault = ""
        return found

    async def _show(self, request: web.Request) -> web.StreamResponse:
        session = request.get(SESSION)
        if session is not None and not self.members():
            raise web.HTTPSeeOther("/")
        return self._render(request)

    async def _enter(self, request: web.Request) -> web.StreamResponse:
        words = language_of(request)
        fields = await form_fields(request, self._clock)
        guess, chosen = fields.get("pin", ""), fields.get("member", "")
        tablet = self._cookies.read_tablet(request)
        now_s = self._clock.monotonic_s()
        member = self.members().get(chosen) if tablet is not None else None
        if chosen and member is None:
            return self._render(request, 403, message=words.text("sign_in.choose_again"))
        if member is None or tablet is None:
            known = None if tablet is None else tablet.id
            verdict = self._pin.check(guess, request.remote or "", now_s, tablet=known)
        else:
            known_member = tablet.rank(member.id) is not None
            verdict = self._members.check(member, guess, now_s, tablet=tablet.id, known=known_member)
        if isinstance(verdict, Wait):
            message = words.text("sign_in.wait", seconds=max(1, round(verdict.seconds)))
            if verdict.by_others:
                message += " " + words.text("sign_in.others_blocked")
            return self._render(request, 429, message=message, chosen=chosen)
        if verdict == "wrong":
            message = words.text("sign_in.wrong" if member is None else "sign_in.wrong_own")
            return self._render(request, 403, message=message, chosen=chosen)
        response = web.HTTPSeeOther("/")
        await self._cookies.end(request, response, request.get(SESSION), live=False)
        await self._cookies.begin(request, response, tablet, member)
        raise response

    async def _note_activity(self, request: web.Request) -> web.StreamResponse:
        """Keep the member's session open while the page is in use; the guard renews the cookie."""
        return web.Response(status=204)

    async def _lock(self, request: web.Request) -> web.StreamResponse:
        response = web.HTTPSeeOther("/")
        await self._cookies.end(request, response, request.get(SESSION), live=False)
        # Whatever a browser kept of the report, in spite of `no-store`.
        response.headers["Clear-Site-Data"] = '"cache"'
        raise response

    async def _sign_out(self, request: web.Request) -> web.StreamResponse:
        response = web.HTTPSeeOther("/sign-in")
        await self._cookies.end(request, response, request.get(SESSION), live=True)
        response.headers["Clear-Site-Data"] = '"cache"'
        raise response

    def _render(
        self, request: web.Request, status: int = 200, *, message: str = "", chosen: str | None = None
    ) -> web.Response:
        """Render the page for entering a PIN. `chosen`: id of the chosen member, "" for the vehicle's PIN, None where
        the page chooses: who last signed in on this tablet."""
        tablet = self._cookies.read_tablet(request)
        latest, others = _sorted(self.members(), tablet)
        if chosen is None:
            chosen = latest[0].id if latest else ""
        return self._pages.render(
            request, "sign_in.html", status, latest=latest, others=others, chosen=chosen, message=message
        )


def _sorted(
    members: Mapping[str, CrewMember], tablet: Tablet | None
) -> tuple[Sequence[CrewMember], Sequence[CrewMember]]:
    """Return the members who have signed in on the tablet, the latest first, and the others by name. A tablet that has
    never signed in learns no names."""
    if tablet is None:
        return (), ()
    ranked = {each.id: rank for each in members.values() if (rank := tablet.rank(each.id)) is not None}
    latest = sorted((members[id] for id in ranked), key=lambda each: ranked[each.id])
    return latest, [each for each in members.values() if each.id not in ranked]
