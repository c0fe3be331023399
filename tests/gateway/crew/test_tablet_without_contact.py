"""Stories of a tablet that loses the gateway: what was entered is kept encrypted, and is sent under its author."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, Route, async_playwright, expect

from gateway.security.crew_members import CrewMember
from gateway.transports.clock import SystemClock
from tests.gateway.crew.test_report_stories import field, open_on_tablet
from tests.harness.axe import violations
from tests.harness.browser import HOLD_DISK, TABLET, persistent_chromium
from tests.harness.crew_app import PARAMEDIC, PIN
from tests.harness.eventually import eventually
from tests.harness.page_requests import abort, intercept, once, pass_on
from tests.harness.radio_range import RadioRange, radio_range
from tests.harness.report_tablets import ENCOUNTER, LOCK_AFTER_S, NURSE, ReportVehicle, report_vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

NARRATIVE = '.page:not([hidden]) .field[data-key="narrative.text"] textarea'
ON_DISK = """async () => {
  const database = await new Promise((resolve) => {
    const opening = indexedDB.open("argus-queue");
    opening.onsuccess = () => resolve(opening.result);
  });
  const all = (name) => new Promise((resolve) => {
    const reading = database.transaction(name).objectStore(name).getAll();
    reading.onsuccess = () => resolve(reading.result);
  });
  const entries = await all("entries"), facts = await all("facts");
  database.close();
  const text = (bytes) => new TextDecoder("latin1").decode(bytes);
  const kept = entries.map((each) => [each.owner, text(each.iv), text(each.ciphertext)]);
  return JSON.stringify({ count: entries.length, facts, kept });
}"""
CACHED = """async () => Object.fromEntries(await Promise.all((await caches.keys()).map(async (name) =>
  [name, (await (await caches.open(name)).keys()).map((request) => new URL(request.url).pathname)])))"""
ADD_FOREIGN = """(count) => new Promise((resolve) => {
  const opening = indexedDB.open("argus-queue");
  opening.onsuccess = () => {
    const transaction = opening.result.transaction("entries", "readwrite");
    const entry = { owner: "0".repeat(32), iv: new Uint8Array(12), ciphertext: new ArrayBuffer(16) };
    for (let each = 0; each < count; each += 1) transaction.objectStore("entries").add(entry);
    transaction.oncomplete = () => { opening.result.close(); resolve(); };
  };
})"""
TIMEOUT_BY_THE_CLOCK = """AbortSignal.timeout = (milliseconds) => {
  const abort = new AbortController();
  setTimeout(() => abort.abort(), milliseconds);
  return abort.signal;
};"""
"""Makes the limits of requests run by the clock that a test moves."""
WORKER_READY = "navigator.serviceWorker.ready.then((registration) => registration.active.state)"


async def sign_in(context: BrowserContext, url: str, member: CrewMember) -> None:
    for form in ({"pin": PIN}, {"pin": member.pin, "member": member.id}):
        await context.request.post(f"{url}/sign-in", form=form, max_redirects=0)


def watched(page: Page) -> list[str]:
    """Return a list of what goes wrong on a page. Requests that fail or are refused are not errors of the page."""
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(line: ConsoleMessage) -> None:
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            errors.append(line.text)

    page.on("console", note)
    return errors


@asynccontextmanager
async def report_open(browser: Browser, folder: Path) -> AsyncIterator[tuple[ReportVehicle, RadioRange, Page]]:
    """Open the narrative of a report on a tablet of the paramedic, whose shell is stored."""
    async with (
        report_vehicle(folder, clock=SystemClock()) as vehicle,
        radio_range(vehicle.app.port) as reach,
        vehicle.tablet() as client,
    ):
        await client.open_report()
        context = await browser.new_context(viewport=TABLET, locale="en-GB")  # type: ignore[arg-type]
        try:
            await sign_in(context, reach.url, PARAMEDIC)
            page = await context.new_page()
            errors = watched(page)
            await open_narrative(page, reach.url)
            yield vehicle, reach, page
            assert errors == []
        finally:
            await context.close()


async def open_narrative(page: Page, url: str) -> None:
    """Load the page, also where it is open already."""
    await page.goto("about:blank")
    await page.goto(f"{url}/reports/{ENCOUNTER}#narrative")
    await expect(page.locator("#saved")).to_have_text("Saved")
    assert await page.evaluate(WORKER_READY) in ("activating", "activated")


async def come_back(page: Page, reach: RadioRange) -> None:
    """Return into the radio's range; the tablet's system reports it to the page."""
    await reach.enter()
    await page.evaluate("setTimeout(() => dispatchEvent(new Event('online')))")


async def write(page: Page, *texts: str) -> None:
    for text in texts:
        await page.locator(NARRATIVE).fill(text)
        await page.locator(NARRATIVE).blur()


async def on_disk(page: Page) -> dict[str, object]:
    found: dict[str, object] = json.loads(await page.evaluate(ON_DISK))
    return found


def stated(vehicle: ReportVehicle) -> list[tuple[str, str | None]]:
    """Return the author and the value of each change of the narrative, in the order of the log."""
    (draft,) = vehicle.drafts.all()
    return [(each.author, each.value) for each in draft.changes if each.key == "narrative.text"]


async def test_check_22_entries_without_contact_outlive_the_lock_and_are_sent_under_their_author(
    browser: Browser, tmp_path: Path
):
    texts = ("Pale and sweating", "Pale and sweating, pain since noon")
    async with report_open(browser, tmp_path) as (vehicle, reach, page):
        await page.clock.install()
        await open_narrative(page, reach.url)
        reach.leave()
        await write(page, *texts)
        await expect(page.locator("#saved")).to_contain_text("2 entries are kept on this tablet, encrypted")
        await page.clock.fast_forward(round(LOCK_AFTER_S * 1000))  # the tablet is not used
        await expect(page.locator("#contact")).to_have_text("No contact with the vehicle’s gateway.")
        await expect(page.locator("#kept")).to_contain_text("2 entries are kept on this tablet, encrypted.")
        disk = await on_disk(page)
        assert disk["count"] == 2
        assert not [each for each in (*texts, PARAMEDIC.id, PARAMEDIC.name, ENCOUNTER) if each in str(disk)]
        await come_back(page, reach)
        await expect(page.locator("#waiting")).to_contain_text("Anna Nowak: 2 entries are kept on this tablet")
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        await sign_in(page.context, reach.url, NURSE)
        await page.goto(f"{reach.url}/reports")
        await expect(page.locator("#waiting")).to_contain_text("Anna Nowak: 2 entries are kept on this tablet")
        await open_narrative(page, reach.url)
        await write(page, "Found on the floor")
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert stated(vehicle) == [(NURSE.id, "Found on the floor")]
        await sign_in(page.context, reach.url, PARAMEDIC)
        await page.goto(f"{reach.url}/")
        await eventually(lambda: is_empty(page), what="the queue is empty")
        assert stated(vehicle)[1:] == [(PARAMEDIC.id, text) for text in texts]
        await expect(page.locator("#waiting")).to_be_hidden()


async def test_page_that_is_loaded_without_contact_is_the_shell_and_sends_after_the_contact(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (vehicle, reach, page):
        await page.evaluate("caches.open('argus-shell-of-the-release-before')")
        await page.evaluate("navigator.serviceWorker.ready.then((registration) => registration.unregister())")
        await open_narrative(page, reach.url)
        reach.leave()
        await write(page, "Pale and sweating")
        await expect(page.locator("#saved")).to_contain_text("1 entry is kept on this tablet")
        await page.goto(f"{reach.url}/")
        await expect(page.locator("#contact")).to_have_text("No contact with the vehicle’s gateway.")
        await expect(page.locator("#absent")).to_have_text(
            "This page has no live values. Use the monitor’s own screen."
        )
        await expect(page.locator("#kept")).to_contain_text("1 entry is kept on this tablet, encrypted.")
        assert await violations(page) == []
        cached = await page.evaluate(CACHED)
        assert len(cached) == 1
        (paths,) = cached.values()
        assert {path.split("/")[1] for path in paths} == {"shell", "static", "texts"}
        await come_back(page, reach)
        await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_be_visible()
        await eventually(lambda: is_empty(page), what="the queue is empty")
        assert stated(vehicle) == [(PARAMEDIC.id, "Pale and sweating")]


async def test_entry_is_stated_as_kept_when_it_is_on_the_disk_and_is_sent_although_the_key_comes_late(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (vehicle, reach, page):
        await page.evaluate(HOLD_DISK)
        reach.leave()
        await write(page, "Pale")
        saved = page.locator("#saved")
        await expect(saved).to_have_text("Saving 1 entry …")
        await page.evaluate("releaseDisk()")
        await expect(saved).to_contain_text("1 entry is kept on this tablet, encrypted")
        await page.goto("about:blank")
        await reach.enter()
        await intercept(page, "**/queue/*/key", once(abort))
        await open_narrative(page, reach.url)
        assert stated(vehicle) == [(PARAMEDIC.id, "Pale")]


async def test_report_repeats_requests_that_get_no_response_and_no_error(browser: Browser, tmp_path: Path):
    """A radio may lose a request without a word: the page must not wait for it as long as the browser does."""
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        lost: asyncio.Queue[Route] = asyncio.Queue()
        await page.clock.install()
        await page.add_init_script(TIMEOUT_BY_THE_CLOCK)
        streams = await intercept(page, "**/stream", lost.put)
        changes = await intercept(page, "**/changes", lost.put)
        await page.reload()
        await lost.get()
        streams.act = pass_on
        await page.clock.run_for(11_000)
        await expect(page.locator("#saved")).to_have_text("Saved")
        await field(page, "patient.sex").get_by_role("button", name="Female").click()
        await lost.get()
        changes.act = pass_on
        await page.clock.run_for(23_000)
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert await client.values("patient.sex") == ["9919001"]
        async with page.expect_request("**/stream"):  # the gateway is silent for longer than it ever is
            await page.clock.run_for(42_000)
        await expect(page.locator("#saved")).to_have_text("Saved")


async def is_empty(page: Page) -> bool:
    return (await on_disk(page))["count"] == 0


async def test_full_tablet_states_it_before_and_takes_no_further_entries(browser: Browser, tmp_path: Path):
    async with report_open(browser, tmp_path) as (vehicle, reach, page):
        await page.evaluate(ADD_FOREIGN, 4_000)
        await open_narrative(page, reach.url)
        await expect(page.locator("#waiting")).to_contain_text("4,000 entries on this tablet belong to another vehicle")
        reach.leave()
        await write(page, "Pale")
        await expect(page.locator("#saved")).to_contain_text("the space on this tablet is nearly full: 1 entry")
        await come_back(page, reach)
        await expect(page.locator("#saved")).to_have_text("Saved")
        await page.evaluate(ADD_FOREIGN, 999)
        await open_narrative(page, reach.url)
        await expect(page.locator("#waiting")).to_contain_text("4,999 entries")
        reach.leave()
        await write(page, "Pale and sweating")
        await expect(page.locator("#saved")).to_contain_text("The space on this tablet is full")
        await expect(page.locator(NARRATIVE)).to_be_disabled()
        await come_back(page, reach)
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert stated(vehicle)[-1] == (PARAMEDIC.id, "Pale and sweating")


async def test_entries_of_a_report_that_was_signed_meanwhile_become_an_addendum(browser: Browser, tmp_path: Path):
    async with report_open(browser, tmp_path) as (vehicle, reach, page), vehicle.tablet(NURSE) as ewa:
        reach.leave()
        await write(page, "Pale and sweating")
        await expect(page.locator("#saved")).to_contain_text("1 entry is kept on this tablet")
        await page.goto(f"{reach.url}/")
        await expect(page.locator("#kept")).to_be_visible()
        assert (await ewa.post(f"/drafts/{ENCOUNTER}/signature", {})).status == 200
        await come_back(page, reach)
        await page.get_by_role("link", name="Open the report").click()
        await expect(page.locator("#saved")).to_contain_text("signed in the meantime")
        await page.get_by_role("link", name="Sign", exact=True).click()
        await page.get_by_role("textbox", name="Reason for the addendum").fill("Written without contact")
        await page.get_by_role("button", name="Begin the addendum").click()
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert stated(vehicle) == [(PARAMEDIC.id, "Pale and sweating")]
        await eventually(lambda: is_empty(page), what="the queue is empty")


async def test_entries_of_a_report_that_the_gateway_lost_with_its_store_open_it_again(browser: Browser, tmp_path: Path):
    async with report_open(browser, tmp_path) as (vehicle, reach, page):
        await page.evaluate(
            """() => import("/static/queue.js").then(async ({ Queue }) => {
                 const queue = await Queue.open();
                 await queue.add("enc_of_the_store_before", { id: "c1", key: "patient.age", value: "50" });
               })"""
        )
        await page.goto(f"{reach.url}/reports")
        await eventually(lambda: is_empty(page), what="the queue is empty")
        draft = vehicle.drafts.find("enc_of_the_store_before")
        assert draft is not None
        assert [(each.author, each.value) for each in draft.changes if each.key == "patient.age"] == [
            (PARAMEDIC.id, "50")
        ]


async def test_check_22_entries_outlive_a_killed_browser(tmp_path: Path):
    async with (
        report_vehicle(tmp_path, clock=SystemClock()) as vehicle,
        radio_range(vehicle.app.port) as reach,
        vehicle.tablet() as client,
    ):
        await client.open_report()
        async with async_playwright() as playwright:
            context, process = await persistent_chromium(playwright, tmp_path / "profile")
            await sign_in(context, reach.url, PARAMEDIC)
            page = await context.new_page()
            await open_narrative(page, reach.url)
            reach.leave()
            await write(page, "Pale", "Pale and sweating")
            await expect(page.locator("#saved")).to_contain_text("2 entries are kept on this tablet")
            os.kill(process, signal.SIGKILL)
            await reach.enter()
            context, _ = await persistent_chromium(playwright, tmp_path / "profile")
            await sign_in(context, reach.url, PARAMEDIC)
            page = await context.new_page()
            await page.goto(f"{reach.url}/")
            await eventually(lambda: len(stated(vehicle)) == 2, what="the entries of before the crash")
            assert [value for _, value in stated(vehicle)] == ["Pale", "Pale and sweating"]
            await context.close()
