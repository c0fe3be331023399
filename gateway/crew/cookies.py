"""Cookies of the sessions: read from a request, and set on a response.

Over TLS each name begins with `__Host-`: a browser then sends the cookie over TLS only, to this host only, and takes it
from no other host (RFC 6265bis §4.1.3). Without TLS the page listens on the machine's own addresses only.
"""

from collections.abc import Mapping

from aiohttp import web

from gateway.crew.request_checks import cookie
from gateway.crew.routes import CrewSession
from gateway.crew.session import (
    LIVE_COOKIE,
    MEMBER_COOKIE,
    SESSION_S,
    TABLET_COOKIE,
    TABLET_S,
    LiveSessions,
    Marks,
    MemberSession,
    MemberSessions,
    Tablet,
)
from gateway.security.crew_members import CrewMember

_SECURE_PREFIX = "__Host-"


class SessionCookies:
    """The cookies of one vehicle's page. `secure`: the page is served over TLS."""

    def __init__(self, marks: Marks, live: LiveSessions, members: MemberSessions, *, secure: bool) -> None:
        self._marks = marks
        self._live = live
        self._members = members
        self._secure = secure

    def read_tablet(self, request: web.Request) -> Tablet | None:
        """Return the tablet that sent a request; None where it has never signed in."""
        return self._marks.read(cookie(request, self._name(TABLET_COOKIE)))

    def read_session(self, request: web.Request, members: Mapping[str, CrewMember]) -> CrewSession | None:
        """Return the session of a request, or None."""
        tablet = self.read_tablet(request)
        if tablet is None or not self._live.is_valid(cookie(request, self._name(LIVE_COOKIE)), tablet):
            return None
        member = self._members.read(cookie(request, self._name(MEMBER_COOKIE)), tablet, members)
        return CrewSession(tablet, member)

    async def begin(
        self, request: web.Request, response: web.Response, tablet: Tablet | None, member: CrewMember | None
    ) -> None:
        """Begin a live session in place of that of the request, and a member's session where one has signed in.
        `tablet` None: a new tablet."""
        await self._end_live(request)
        if tablet is not None and member is not None:
            tablet = tablet.with_member(member.id)
        tablet, mark = self._marks.issue(tablet)
        self._set(response, TABLET_COOKIE, mark, TABLET_S)
        self._set(response, LIVE_COOKIE, self._live.issue(tablet), SESSION_S)
        if member is not None:
            self._set(response, MEMBER_COOKIE, self._members.begin(tablet, member), SESSION_S)

    def renew(self, response: web.StreamResponse, session: MemberSession) -> None:
        """Record that the member uses the tablet now."""
        if self._members.is_due(session):
            self._set(response, MEMBER_COOKIE, self._members.renew(session), SESSION_S)

    async def end(
        self, request: web.Request, response: web.StreamResponse, session: CrewSession | None, *, live: bool
    ) -> None:
        """End the member's session of a tablet, and with `live` also its live session."""
        if session is not None and session.member is not None:
            await self._members.end(session.member)
        if live:
            await self._end_live(request)
        for name in (MEMBER_COOKIE, LIVE_COOKIE) if live else (MEMBER_COOKIE,):
            self._set(response, name, "", 0)

    async def _end_live(self, request: web.Request) -> None:
        tablet = self.read_tablet(request)
        if tablet is not None:
            await self._live.end(cookie(request, self._name(LIVE_COOKIE)), tablet)

    def _name(self, name: str) -> str:
        return f"{_SECURE_PREFIX}{name}" if self._secure else name

    def _set(self, response: web.StreamResponse, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            self._name(name),
            value,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=self._secure,
        )
