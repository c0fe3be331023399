"""Routes of the crew's pages, each with the access that it requires, and the session of a request."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

from aiohttp import web

from gateway.crew.access import Access, is_allowed
from gateway.crew.session import MemberSession, Tablet
from gateway.crew.shares import Rate, Rates
from gateway.security.crew_members import CrewMember

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class CrewRoute(NamedTuple):
    """One route. `access`: what it requires; there is no default, so that no route is open by mistake. `page`: a client
    without the access is redirected to the page where it can sign in; otherwise it gets 401 or 403. `rate`: share of
    one address; None: the route is cheap."""

    method: str
    path: str
    handler: Handler
    access: Access
    page: bool = False
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class CrewSession:
    """The session of a request. `member` None: the vehicle's PIN was entered, and no member has signed in."""

    tablet: Tablet
    member: MemberSession | None

    def may(self, access: Access) -> bool:
        return is_allowed(access, None if self.member is None else self.member.member.role)


SESSION = web.RequestKey("crew_session", CrewSession)
"""Session of a request; absent where the tablet is not signed in."""


def session_of(request: web.Request) -> CrewSession:
    """Return the session of a request. The route requires LIVE or more."""
    return request[SESSION]


def member_of(request: web.Request) -> CrewMember:
    """Return who uses the tablet: the author of what the request writes. The route requires more than LIVE."""
    return member_session_of(request).member


def member_session_of(request: web.Request) -> MemberSession:
    """Return the session of the member who uses the tablet. The route requires more than LIVE."""
    session = request[SESSION].member
    assert session is not None, "the guard has admitted a request without a crew member"
    return session


class RouteTable:
    """All routes of the crew's pages, and the decision whether a session may use one."""

    def __init__(self, routes: tuple[CrewRoute, ...], rates: Rates) -> None:
        self._routes = routes
        self._rates = rates
        self._by_place: Mapping[tuple[str, str], CrewRoute] = MappingProxyType(
            {(route.method, route.path): route for route in routes}
        )

    def register(self, app: web.Application) -> None:
        for route in self._routes:
            app.router.add_route(route.method, route.path, route.handler)

    def require_access(self, request: web.Request) -> None:
        """Raise 303 to the sign-in page, 401 or 403 where the session of a request lacks the route's access. A path
        without a route requires LIVE, so that only a signed-in tablet learns which paths exist."""
        if _path_of(request) == STATIC:
            return
        route = self._route_of(request)
        access = Access.LIVE if route is None else route.access
        session = request.get(SESSION)
        if access is Access.OPEN or (session is not None and session.may(access)):
            return
        if session is not None and session.member is not None:
            raise web.HTTPForbidden(text="Your role does not allow this.\n")
        if route is not None and route.page:
            raise web.HTTPSeeOther("/sign-in")
        raise web.HTTPUnauthorized(text="Sign in first.\n")

    def require_rate(self, request: web.Request) -> None:
        """Raise 429 where the address has used its share of the route."""
        route = self._route_of(request)
        if route is not None and route.rate is not None:
            self._rates.require(route.rate, request)

    def _route_of(self, request: web.Request) -> CrewRoute | None:
        return self._by_place.get((request.method, _path_of(request)))


def _path_of(request: web.Request) -> str:
    """Return the path of the request's route with its variables; "" without a route."""
    resource = request.match_info.route.resource
    return "" if resource is None else resource.canonical


STATIC = "/static"
"""Path of the static files, which contain no data and are open."""
