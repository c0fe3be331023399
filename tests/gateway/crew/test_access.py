"""Each route of the crew's pages declares its access, and no session without that access reaches its handler."""

import re
from pathlib import Path

import aiohttp
import pytest

from gateway.crew.access import ACCESS_OF_ROLE, Access, is_allowed
from gateway.crew.handover import READING
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


async def test_refusal_of_a_page_is_a_page_in_the_language_of_the_tablet_with_a_link_to_continue(tmp_path: Path):
    opened_by_a_person = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "pl"}
    async with report_vehicle(tmp_path, handover=handover_parts()) as vehicle, vehicle.tablet() as anna:
        for path, sentence in (
            ("/reports/enc_unknown", "W tym pojeździe nie ma takiej strony ani karty."),
            ("/nothing", "W tym pojeździe nie ma takiej strony ani karty."),
            ("/handover/enc_unknown", "W tym pojeździe nie ma karty tego zdarzenia."),
        ):
            async with anna.session.get(f"{vehicle.url}{path}", headers=opened_by_a_person) as reply:
                page = await reply.text()
            assert (reply.status, reply.content_type) == (404, "text/html")
            assert f'role="alert">{sentence}</p>' in page
            assert 'href="/reports"' in page
            assert 'href="/"' in page
            async with anna.session.get(f"{vehicle.url}{path}") as reply:
                assert (reply.status, reply.content_type) == (404, "text/plain")


async def test_refusal_states_the_role_and_keeps_the_time_to_wait(tmp_path: Path):
    opened_by_a_person = {"Accept": "text/html,*/*;q=0.8", "Accept-Language": "de"}
    async with (
        report_vehicle(tmp_path, members=MEMBERS, handover=handover_parts()) as vehicle,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True), headers=opened_by_a_person) as tablet,
    ):
        for form in ({"pin": PIN}, {"pin": "123456", "member": "usr_observer"}):
            await tablet.post(f"{vehicle.url}/sign-in", data=form, allow_redirects=False)
        async with tablet.get(f"{vehicle.url}/reports") as reply:
            assert reply.status == 403
            page = await reply.text()
        assert "Ihre Rolle erlaubt das nicht." in page
        assert 'href="/reports"' not in page
        await tablet.post(
            f"{vehicle.url}/sign-in", data={"pin": "123456", "member": "usr_nurse"}, allow_redirects=False
        )
        replies = [await tablet.get(f"{vehicle.url}/handover/enc_unknown") for _ in range(READING.burst + 1)]
        assert (replies[-1].status, replies[-1].content_type) == (429, "text/html")
        assert int(replies[-1].headers["Retry-After"]) >= 1
