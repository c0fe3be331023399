"""The examination in the report: injuries on a figure, ABCDE with sides, and the stroke test."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.transports.clock import SystemClock
from tests.gateway.crew.test_report_stories import open_report, tablet
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET
from tests.harness.crew_app import PARAMEDIC
from tests.harness.report_tablets import ReportVehicle, Tablet, report_vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def vehicle(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReportVehicle]:
    async with report_vehicle(tmp_path_factory.mktemp("exam"), clock=SystemClock()) as served:
        yield served


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(vehicle: ReportVehicle) -> AsyncIterator[Tablet]:
    async with vehicle.tablet() as opened:
        await opened.open_report()
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def page(browser: Browser, vehicle: ReportVehicle, client: Tablet) -> AsyncIterator[Page]:
    async with tablet(browser, vehicle.url, PARAMEDIC) as opened:
        yield opened


async def test_injury_is_entered_on_the_figure_by_touch_and_by_keyboard(
    vehicle: ReportVehicle, client: Tablet, page: Page
):
    await open_report(page, vehicle.url, "trauma")
    leg = page.get_by_role("button", name="Left lower leg")
    await leg.click()
    await page.get_by_role("button", name="Open fracture").click()
    await expect(leg).to_have_accessible_name("Left lower leg: Open fracture")
    await page.get_by_role("button", name="Head", exact=True).focus()
    await page.keyboard.press("Enter")
    await page.locator('[data-key="exam.head"]').get_by_role("button", name="Contusion").focus()
    await page.keyboard.press("Space")
    await expect(page.locator("#saved")).to_have_text("Saved")
    assert await client.values("limbs.site") == ["3515057"]
    assert await client.values("limbs.findings") == ["3516035"]
    assert await client.values("exam.head") == ["3505051"]


@pytest.mark.parametrize("viewport", [TABLET, PHONE], ids=["tablet", "phone"])
async def test_figure_has_regions_of_48_pixels_and_passes_axe(
    vehicle: ReportVehicle, page: Page, viewport: dict[str, int]
):
    await page.set_viewport_size(viewport)  # type: ignore[arg-type]
    await open_report(page, vehicle.url, "trauma")
    small = await page.locator(".region rect").evaluate_all(
        "all => all.map((each) => each.getBoundingClientRect()).filter((box) => Math.min(box.width, box.height) < 47.5)"
    )
    assert small == []
    assert await violations(page) == []
    await page.set_viewport_size(TABLET)  # type: ignore[arg-type]


async def test_stroke_test_enters_its_findings_and_its_result(vehicle: ReportVehicle, client: Tablet, page: Page):
    await open_report(page, vehicle.url, "assessment")
    await page.get_by_role("button", name="Add an assessment").click()
    fast = page.locator(".fast")
    for row in ("Face", "Arms", "Speech"):
        await fast.get_by_role("group", name=row).get_by_role("button", name="Normal").click()
    await expect(fast.get_by_role("status")).to_have_text("Negative")
    await fast.get_by_role("button", name="Facial droop, left").click()
    await expect(fast.get_by_role("status")).to_have_text("Positive: signs of a stroke")
    await expect(page.locator("#saved")).to_have_text("Saved")
    assert await client.values("vitals.stroke_result") == ["3329005"]
    assert await client.values("vitals.stroke_scale") == ["3330013"]
    gaps = (await client.record())["gaps"]
    assert "situation.last_known_well" in {each["key"] for each in gaps}


async def test_entries_of_one_second_have_the_one_that_was_entered_last_first(vehicle: ReportVehicle, page: Page):
    await open_report(page, vehicle.url, "assessment")
    order = await page.evaluate(
        """() => import("/static/report_store.js").then(({ ReportStore }) => {
             const store = new ReportStore("enc_1", "usr_18", {}, { add: () => Promise.resolve() });
             store.send = () => {};
             const value = "2026-06-01T10:00:00+02:00";
             for (const entry of ["b", "c", "a"]) store.set("vitals.time", entry, { value });
             return store.entries("vitals").map(({ entry }) => entry);
           })"""
    )
    assert order == ["a", "c", "b"]


async def test_line_of_the_timeline_stays_in_place_when_something_else_is_stated(
    vehicle: ReportVehicle, client: Tablet, page: Page
):
    """Otherwise a tap on it, or the focus, would be lost whenever another tablet or a device sends something."""
    await client.append({"id": "t1", "key": "times.en_route", "value": "2026-06-01T10:00:00+02:00"})
    await open_report(page, vehicle.url, "timeline")
    line = page.locator(".timeline button", has_text="En route")
    await line.focus()
    await client.append({"id": "t2", "key": "patient.last_name", "value": "Nowak"})
    gaps = (await client.record())["gaps"]  # one fewer than before
    await expect(page.locator('a[href="#gaps"] .badge')).to_have_text(str(len(gaps)))
    await expect(line).to_be_focused()


async def test_assessment_is_in_the_order_abcde_and_has_the_findings_of_each_side(
    vehicle: ReportVehicle, client: Tablet, page: Page
):
    await open_report(page, vehicle.url, "assessment")
    await page.get_by_role("button", name="Add an assessment").click()
    headings = await page.locator(".heading:visible").all_inner_texts()
    assert [each[:1] for each in headings] == ["A", "B", "C", "D", "S"]
    opened = page.locator(".page:not([hidden]) .entry-card").first
    await expect(opened.locator(".entry-head")).to_have_attribute("aria-expanded", "true")
    lungs = opened.locator('.field[data-key="lungs.findings"]')
    await lungs.nth(1).get_by_role("button", name="Wheezing").click()
    await expect(page.locator(".entry-head").first).to_contain_text("Wheezing")
    await expect(page.locator("#saved")).to_have_text("Saved")
    assert await client.values("lungs.side") == ["3522001"]
    assert await client.values("lungs.findings") == ["3523029"]
    await page.set_viewport_size({**TABLET, "height": 4000})  # type: ignore[typeddict-item]
    assert await violations(page) == []
