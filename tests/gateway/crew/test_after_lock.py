"""After a tablet was locked, the gateway has what was entered, and nothing of the report is left on the tablet, in its
addresses, or in the gateway's log."""

import json
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect
from structlog.testing import capture_logs

from gateway.transports.clock import SystemClock
from tests.gateway.crew.test_report_stories import open_report, tablet
from tests.harness.browser import TABLET, stop_clock
from tests.harness.crew_app import PARAMEDIC, PIN
from tests.harness.report_tablets import ENCOUNTER, LOCK_AFTER_S, report_vehicle

pytestmark = pytest.mark.asyncio(loop_scope="session")

TYPED = "Patient found sitting, pale and sweating"
SECRETS = (TYPED, PIN, PARAMEDIC.pin)
KEPT = """async () => {
  const databases = await indexedDB.databases();
  const caches_ = await Promise.all((await caches.keys()).map(async (name) =>
    (await (await caches.open(name)).keys()).map((request) => request.url)));
  return JSON.stringify([{ ...localStorage }, { ...sessionStorage }, databases, caches_, document.cookie]);
}"""


async def text_of(page: Page) -> str:
    fields = await page.evaluate("[...document.querySelectorAll('input, textarea')].map((each) => each.value).join()")
    return f"{await page.content()} {fields}"


@pytest.mark.browser
async def test_locked_tablet_keeps_nothing_of_the_report_and_shows_live_values(browser: Browser, tmp_path: Path):
    with capture_logs() as logs:
        async with report_vehicle(tmp_path, clock=SystemClock()) as vehicle:
            context = await browser.new_context(viewport=TABLET, locale="en-GB")  # type: ignore[arg-type]
            try:
                page = await context.new_page()
                addresses: list[str] = []
                page.on("request", lambda request: addresses.append(request.url))
                for form in ({"pin": PIN}, {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}):
                    await context.request.post(f"{vehicle.url}/sign-in", form=form, max_redirects=0)
                async with vehicle.tablet() as client:
                    await client.open_report()
                await page.goto(f"{vehicle.url}/reports/{ENCOUNTER}#narrative")
                narrative = page.locator('.page:not([hidden]) .field[data-key="narrative.text"]').get_by_role("textbox")
                await narrative.fill(TYPED)
                await narrative.blur()
                await expect(page.locator("#saved")).to_have_text("Saved")
                assert TYPED in await text_of(page)
                await page.evaluate("navigator.serviceWorker.ready.then((registration) => registration.scope)")
                await page.evaluate("import('/static/session.js').then((session) => session.lock())")
                await page.wait_for_url(f"{vehicle.url}/")
                await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
                await page.go_back(wait_until="commit")
                await expect(page.locator("body")).to_be_visible()
                assert TYPED not in await text_of(page)
                await page.goto(f"{vehicle.url}/reports/{ENCOUNTER}")
                await page.wait_for_url(f"{vehicle.url}/sign-in")
                for path in (f"/drafts/{ENCOUNTER}", f"/drafts/{ENCOUNTER}/stream", "/drafts"):
                    assert (await context.request.get(f"{vehicle.url}{path}")).status == 401
                kept = json.loads(await page.evaluate(KEPT))
                assert not [secret for secret in SECRETS if secret in str(kept)], kept
                assert f"{vehicle.url}/shell" in str(kept)  # which a tablet shows without contact
                assert not [address for address in addresses for secret in SECRETS if secret in address]
            finally:
                await context.close()
    assert not [line for line in logs for secret in (*SECRETS, PARAMEDIC.name) if secret in str(line)]


@pytest.mark.browser
async def test_lock_keeps_the_texts_of_sections_that_were_not_shown(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await client.append({"id": "n1", "key": "patient.last_name", "value": "Nowak"})
        await page.clock.install()
        await open_report(page, vehicle.url, "narrative")
        await stop_clock(page)  # the lock waits for what is sent before it
        await page.evaluate("import('/static/session.js').then((session) => session.lock())")
        await page.wait_for_url(f"{vehicle.url}/")
        assert await client.values("patient.last_name") == ["Nowak"]
        assert (await client.record())["sequence"] == 4


@pytest.mark.browser
async def test_text_that_is_typed_right_before_a_lock_is_stored(browser: Browser, tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await page.clock.install()
        await open_report(page, vehicle.url, "narrative")
        await stop_clock(page)  # the lock waits for what is sent before it
        await page.evaluate(
            """() => {
                 const narrative = document.querySelector('[data-key="narrative.text"] textarea');
                 narrative.value = "Pale and sweating";
                 narrative.dispatchEvent(new Event("input"));
                 return import("/static/session.js").then((session) => { session.lock(); });
               }"""
        )
        await page.wait_for_url(f"{vehicle.url}/")
        assert await client.values("narrative.text") == ["Pale and sweating"]


@pytest.mark.browser
async def test_page_from_the_browsers_memory_is_locked_if_it_was_not_used_for_too_long(
    browser: Browser, tmp_path: Path
):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        vehicle.tablet() as client,
        tablet(browser, vehicle.url, PARAMEDIC) as page,
    ):
        await client.open_report()
        await page.clock.install()
        await open_report(page, vehicle.url, "narrative")
        await stop_clock(page)  # the page's timers stand still, as in the browser's memory
        is_locked = await page.evaluate(
            """(milliseconds) => new Promise((resolve) => {
                 const before = Date.now.bind(Date);
                 Date.now = () => before() + milliseconds;
                 addEventListener("crew-lock", () => resolve(true));
                 dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true }));
                 resolve(false);
               })""",
            LOCK_AFTER_S * 1000,
        )
        assert is_locked
        await page.wait_for_url(f"{vehicle.url}/")
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()


async def test_every_response_of_a_signed_in_tablet_forbids_caching(tmp_path: Path):
    async with report_vehicle(tmp_path) as vehicle, vehicle.tablet() as tablet:
        await tablet.open_report()
        for route in vehicle.app.routes:
            if route.method != "GET":
                continue
            path = route.path.replace("{encounter}", ENCOUNTER)
            async with tablet.session.get(f"{vehicle.url}{path}", allow_redirects=False) as reply:
                assert reply.headers["Cache-Control"] == "no-store", path
