"""Each route of the crew's pages declares its access, and no session without that access reaches its handler."""

import re
from pathlib import Path

import aiohttp
import pytest

from gateway.crew.access import ACCESS_OF_ROLE, Access, is_allowed
from gateway.security.crew_members import CrewMember
from protocols.epcr.crew_role import CrewRole
from tests.builders.handovers import handover_parts
from tests.harness.crew_app import PIN, new_crew_app, serving
from tests.harness.report_tablets import report_vehicle

OPEN_ROUTES = {
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("POST", "/lock"),
    ("POST", "/sign-out"),
    ("GET", "/texts/{language}/{part}.js"),  # the pages' words, without data
    ("GET", "/shell"),  # the page without contact and its worker, the same for each tablet
    ("GET", "/service-worker.js"),
    ("GET", "/h"),
    ("POST", "/h"),
    ("GET", "/h/handover.css"),
    ("GET", "/h/{code}"),  # a one-time code
    ("GET", "/h/view"),  # and these, the cookie of the reader who opened it
    ("GET", "/h/view/pdf"),
    ("GET", "/h/view/bundle"),
}
"""Routes that need no session. Each further one must have a protection of its own."""
MEMBERS = [CrewMember(id=f"usr_{role}", name=role, role=role, pin="123456") for role in CrewRole]


def test_only_known_routes_are_open_without_a_session():
    routes = new_crew_app(handover=handover_parts()).routes
    assert {(route.method, route.path) for route in routes if route.access is Access.OPEN} == OPEN_ROUTES


def test_every_role_has_its_accesses_and_only_members_have_more_than_live_values():
    assert set(ACCESS_OF_ROLE) == set(CrewRole)
    for access in Access:
        assert is_allowed(access, None) == (access in (Access.OPEN, Access.LIVE))
        assert is_allowed(access, CrewRole.PARAMEDIC)
    assert not is_allowed(Access.SIGN, CrewRole.DRIVER)
    assert not is_allowed(Access.READ, CrewRole.OBSERVER)


@pytest.mark.parametrize("user", [None, "", *CrewRole], ids=lambda user: user or ("nobody" if user is None else "live"))
async def test_every_route_refuses_sessions_without_its_access(user: str | None, tmp_path: Path):
    """`user`: a role; "": the vehicle's PIN only; None: no session."""
    async with (
        report_vehicle(tmp_path, members=MEMBERS, handover=handover_parts()) as vehicle,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as tablet,
    ):
        app, url = vehicle.app, vehicle.url
        if user is not None:
            await tablet.post(f"{url}/sign-in", data={"pin": PIN}, allow_redirects=False)
        if user:
            form = {"pin": "123456", "member": f"usr_{user}"}
            await tablet.post(f"{url}/sign-in", data=form, allow_redirects=False)
        for route in app.routes:
            if route.access is Access.OPEN:
                continue
            path = re.sub(r"\{[^}]*\}", "1", route.path)
            async with tablet.request(route.method, f"{url}{path}", allow_redirects=False) as reply:
                allowed = user is not None and is_allowed(route.access, CrewRole(user) if user else None)
                refused = 303 if route.page and not user else 403 if user else 401
                assert (reply.status == refused) != allowed, (user, route.method, route.path, reply.status)


async def test_unknown_path_reveals_nothing_to_a_client_without_a_session():
    async with serving(new_crew_app()) as url, aiohttp.ClientSession() as stranger:
        for path in ("/nothing", "/reports/1"):
            assert (await stranger.get(f"{url}{path}")).status == 401
