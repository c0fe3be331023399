"""Calls from dispatch on the crew's pages: announced at once, read by crew members only, and joined with one tap."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from gateway.crew.languages import language
from gateway.crew.stream import VALUE_WAIT_S, live_events
from gateway.live import LiveFeed
from gateway.transports.clock import SystemClock
from protocols.uplink.missions import MissionStatus
from tests.builders.care_changes import change
from tests.builders.missions import CALL, STREET, changed, signed
from tests.gateway.crew.test_report_stories import tablet
from tests.harness.axe import violations
from tests.harness.crew_app import ALL_SENT, PARAMEDIC
from tests.harness.moved_clock import MovedClock
from tests.harness.report_tablets import ENCOUNTER, STUDENT, ReportVehicle, Tablet, report_vehicle

pytestmark = pytest.mark.asyncio(loop_scope="session")
FOREVER_US = 1 << 62
REASON = "Industrial accident or entrapment, no vehicle"
"""Words of the reason that the call has as a code."""


@pytest_asyncio.fixture(loop_scope="session")
async def vehicle(tmp_path: Path) -> AsyncIterator[ReportVehicle]:
    async with report_vehicle(tmp_path) as served:
        yield served


@pytest_asyncio.fixture(loop_scope="session")
async def anna(vehicle: ReportVehicle) -> AsyncIterator[Tablet]:
    async with vehicle.tablet() as opened:
        yield opened


async def call(vehicle: ReportVehicle, version: int = 1, **fields: Any) -> None:
    assert await vehicle.missions.receive(signed(changed(version, expires_at_us=FOREVER_US, **fields)))


async def test_call_is_listed_with_its_words_for_crew_members_only(vehicle: ReportVehicle, anna: Tablet):
    await call(vehicle)
    (listed,) = (await anna.get("/missions")).body["missions"]
    assert (listed["encounter"], listed["number"], listed["street"]) == (CALL.encounter, "4711", STREET)
    assert (listed["status"], listed["report"], listed["reason"]) == ("in_progress", None, "2301047")
    assert [each["encounter"] for each in (await anna.get("/drafts")).body["drafts"]] == [CALL.encounter]
    async with vehicle.tablet(None) as stranger:
        assert (await stranger.get("/missions")).status in (303, 401)


async def test_call_is_joined_to_the_report_that_the_crew_opened_before(vehicle: ReportVehicle, anna: Tablet):
    await anna.open_report()
    await call(vehicle)
    assert (await anna.get("/missions")).body["candidates"] == {ENCOUNTER: [CALL.encounter]}
    joining = f"/missions/{CALL.encounter}/report"
    assert (await anna.post(joining, {"report": ENCOUNTER})).status == 200
    found = (await anna.get("/missions")).body
    assert (found["missions"][0]["report"], found["candidates"]) == (ENCOUNTER, {})
    assert await anna.values("scene.street") == [STREET]
    assert (await anna.post(joining, {"report": "enc_other"})).status == 404
    assert (await anna.post(joining, {"report": "a b"})).status == 422


async def test_joined_call_with_entries_of_the_crew_keeps_its_line_in_the_list(vehicle: ReportVehicle, anna: Tablet):
    await anna.open_report()
    await call(vehicle)
    await anna.post(f"/missions/{CALL.encounter}/report", {"report": ENCOUNTER})
    (joined,) = (await anna.get("/missions")).body["missions"]
    assert (joined["continued"], joined["has_entries"]) == (True, False)
    await vehicle.drafts.append_changes([change("patient.age", "50", encounter=CALL.encounter)])
    (joined,) = (await anna.get("/missions")).body["missions"]
    assert (joined["continued"], joined["has_entries"]) == (False, True)


async def test_student_may_join_and_a_tablet_without_a_member_may_not(vehicle: ReportVehicle, anna: Tablet):
    await anna.open_report()
    await call(vehicle)
    body = {"report": ENCOUNTER}
    async with vehicle.tablet(None) as stranger, vehicle.tablet(STUDENT) as student:
        assert (await stranger.post(f"/missions/{CALL.encounter}/report", body)).status == 401
        assert (await student.post(f"/missions/{CALL.encounter}/report", body)).status == 200


async def test_state_is_sent_at_once_when_a_call_arrives():
    clock, received, watchers = MovedClock(), [0], set[asyncio.Event]()
    stream = live_events(
        LiveFeed(),
        lambda: {"calls_changed": received[0]},
        clock,
        (),
        language("en"),
        twelve=False,
        notice=lambda: received[0],
        watchers=watchers,
    )
    await anext(stream)  # the picture and the first state
    waiting = asyncio.ensure_future(anext(stream))
    await clock.advance(VALUE_WAIT_S)
    received[0] = 1
    for watcher in watchers:
        watcher.set()
    for _ in range(3):
        await clock.advance(VALUE_WAIT_S)
    name, data = (await waiting).decode().strip().split("\n")
    assert (name, json.loads(data.removeprefix("data: "))) == ("event: status", {"calls_changed": 1})
    await stream.aclose()
    assert not watchers


@pytest.mark.browser
async def test_call_that_could_not_be_joined_is_stated_until_the_next_tap(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await call(vehicle)
        await page.route("**/missions/*/report", lambda route: route.abort())
        await page.clock.install()
        await page.goto(f"{vehicle.url}/reports")
        await page.get_by_role("button", name="This is:").click()
        await expect(page.locator("#problem")).to_contain_text("could not be joined")
        for _ in range(2):  # the list is read again meanwhile
            async with page.expect_response("**/missions"):
                await page.clock.run_for(5_000)
        await expect(page.locator("#problem")).to_contain_text("could not be joined")


@pytest.mark.browser
async def test_list_of_reports_keeps_its_calls_without_contact_and_shows_later_ones_with_it(
    browser: Browser, tmp_path: Path
):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await page.clock.install()
        await call(vehicle)
        await page.goto(f"{vehicle.url}/reports")
        await expect(page.locator("#drafts")).to_contain_text(STREET)
        await page.context.set_offline(True)
        await call(vehicle, 2, status=MissionStatus.CANCELLED)
        await page.clock.run_for(5_000)
        await expect(page.locator("#problem")).to_contain_text("No contact")
        await expect(page.locator("#drafts")).to_contain_text(STREET)
        await page.context.set_offline(False)
        await page.clock.run_for(5_000)
        await expect(page.locator("#drafts")).to_contain_text("Cancelled")
        await expect(page.locator("#problem")).to_have_text("")


@pytest.mark.browser
async def test_crew_sees_a_call_at_once_and_joins_it_with_one_tap(browser: Browser, tmp_path: Path):
    clock = MovedClock()
    async with report_vehicle(tmp_path, clock=clock) as vehicle:
        vehicle.app._status = lambda: replace(
            ALL_SENT, calls=vehicle.missions.open_count(), calls_changed=vehicle.missions.received
        )
        context = await browser.new_context(locale="en-GB")
        page = await context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda said: errors.append(said.text) if said.type == "error" else None)
        await context.request.post(f"{vehicle.url}/sign-in", form={"pin": "204060"}, max_redirects=0)
        form = {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}
        await context.request.post(f"{vehicle.url}/sign-in", form=form, max_redirects=0)
        async with vehicle.tablet() as client:
            await client.open_report()
        await page.goto(f"{vehicle.url}/")
        await expect(page.locator("#cloud")).to_have_text("Network: all sent")  # the page knows that there is no call
        await expect(page.locator("#calls")).to_be_hidden()
        await call(vehicle)
        for _ in range(3):  # long before the next state of the store
            await clock.advance(VALUE_WAIT_S)
        await expect(page.locator("#calls")).to_have_text("New or changed call from dispatch")
        assert STREET not in await page.content()
        assert await violations(page) == []
        await page.locator("#calls").click()
        await page.get_by_role("button", name=f"This is: Call 4711 · {REASON} · {STREET}").click()
        await expect(page.locator("#drafts > li")).to_have_count(1)
        await expect(page.locator("#drafts")).to_contain_text("From dispatch")
        assert await violations(page) == []
        await page.goto(f"{vehicle.url}/reports/{ENCOUNTER}")
        await expect(page.locator("#mission")).to_have_text(f"Call 4711 · {REASON} · {STREET} · From dispatch")
        await call(vehicle, 2, status=MissionStatus.CANCELLED)
        await expect(page.locator("#mission")).to_contain_text("Cancelled by dispatch")
        await context.close()
        assert errors == []
