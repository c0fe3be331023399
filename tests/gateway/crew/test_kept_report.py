"""Stories of a report that is loaded again without contact: it is shown from what the tablet has, and can be edited."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.gateway.crew.test_tablet_without_contact import (
    NARRATIVE,
    come_back,
    is_empty,
    on_disk,
    open_narrative,
    report_open,
    stated,
    write,
)
from tests.harness.axe import violations
from tests.harness.crew_app import PARAMEDIC
from tests.harness.eventually import eventually
from tests.harness.report_tablets import ENCOUNTER, LOCK_AFTER_S

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

NO_CONTACT = "No contact with the vehicle’s gateway."
LAST_NAME = '.page:not([hidden]) .field[data-key="patient.last_name"]'
LEAVE = """async () => {
  const { Queue } = await import("/static/queue.js");
  const queue = await Queue.open();
  await queue.unlock();
  await queue.keepCopy({ encounter: "enc_1" });
  navigator.serviceWorker.controller.postMessage({ act: "hold", key: queue.key, owner: queue.owner });
}"""
"""Leaves what a page of a report leaves that ends after the next one has begun: its copy, and its key in the worker."""
CONTROLLED = "() => navigator.serviceWorker.controller !== null"


async def facts(page: Page) -> int:
    """Return how many facts the tablet's disk has besides the entries: its salt, and the copy of a report."""
    found = (await on_disk(page))["facts"]
    assert isinstance(found, list)
    return len(found)


async def has_copy(page: Page) -> bool:
    await page.wait_for_function(CONTROLLED)
    return await facts(page) == 2


async def test_report_that_is_loaded_again_without_contact_is_edited_and_sent_when_the_contact_is_back(
    browser: Browser, tmp_path: Path
):
    texts = ("Pale", "Pale and sweating", "Pale and sweating, pain since noon")
    async with report_open(browser, tmp_path) as (vehicle, reach, page), vehicle.tablet() as client:
        await client.append({"id": "n1", "key": "patient.last_name", "value": "Nowak"})
        await write(page, texts[0])
        await expect(page.locator("#saved")).to_have_text("Saved")
        await page.reload()  # so that the copy has the name for certain
        await expect(page.locator("#saved")).to_have_text("Saved")
        await eventually(lambda: has_copy(page), what="the copy of the report")
        reach.leave()
        await write(page, texts[1])
        await expect(page.locator("#saved")).to_contain_text("1 entry is kept on this tablet")
        await page.reload()
        await expect(page.locator(NARRATIVE)).to_have_value(texts[1])
        await expect(page.locator("#saved")).to_contain_text("1 entry is kept on this tablet")
        await write(page, texts[2])
        await expect(page.locator("#saved")).to_contain_text("2 entries are kept on this tablet")
        disk = await on_disk(page)
        assert not [each for each in (*texts, "Nowak", PARAMEDIC.id, PARAMEDIC.name, ENCOUNTER) if each in str(disk)]
        await page.reload()
        await expect(page.locator(NARRATIVE)).to_have_value(texts[2])
        await page.get_by_role("link", name="Patient").click()
        await expect(page.locator(LAST_NAME).get_by_role("textbox")).to_have_value("Nowak")
        assert await violations(page) == []
        await come_back(page, reach)
        await expect(page.locator("#saved")).to_have_text("Saved")
        assert stated(vehicle) == [(PARAMEDIC.id, text) for text in texts]
        await eventually(lambda: is_empty(page), what="the queue is empty")


async def has_no_copy(page: Page) -> bool:
    return await facts(page) == 1


async def take_key(page: Page) -> bool:
    """Return whether the service worker gives a page the key that another one left, as if the gateway knew of the lock.

    The worker does not wait for a page that has not quite ended."""
    (worker,) = page.context.service_workers
    await worker.evaluate("() => { self.wait = setTimeout; self.setTimeout = (done) => { done(); return 0; }; }")
    taken = await page.evaluate(
        """async () => {
             const isOwed = await caches.delete("argus-owed-lock");
             const { takeKey } = await import("/static/key_hand_over.js");
             const taken = await takeKey();
             if (isOwed) await caches.open("argus-owed-lock");
             return taken !== null;
           }"""
    )
    await worker.evaluate("() => { self.setTimeout = self.wait; }")
    return bool(taken)


async def test_report_that_was_locked_without_contact_is_not_shown_and_its_copy_is_deleted(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (_, reach, page):
        await eventually(lambda: has_copy(page), what="the copy of the report")
        reach.leave()
        await page.reload()
        await write(page, "Pale")
        await expect(page.locator("#saved")).to_contain_text("1 entry is kept on this tablet")
        await page.evaluate("import('/static/session.js').then((session) => { session.lock(); })")
        await expect(page.locator("#contact")).to_have_text(NO_CONTACT)
        assert await facts(page) == 1
        assert not await take_key(page)
        await page.goto(f"{reach.url}/reports/{ENCOUNTER}#narrative")
        await expect(page.locator("#contact")).to_have_text(NO_CONTACT)
        await expect(page.locator("#kept")).to_contain_text("1 entry is kept on this tablet")
        assert "Pale" not in await page.content()


async def test_key_of_a_report_is_dropped_by_a_page_of_the_gateway_and_with_the_worker(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (_, reach, page):
        await eventually(lambda: has_copy(page), what="the copy of the report")
        report = page.url
        await page.goto(f"{reach.url}/")
        await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_be_visible()
        reach.leave()
        await page.goto(report)
        await expect(page.locator("#contact")).to_have_text(NO_CONTACT)
        await reach.enter()
        await expect(page.locator("#saved")).to_have_text("Saved")
        reach.leave()
        await page.goto("about:blank")
        session = await page.context.new_cdp_session(page)
        await session.send("ServiceWorker.enable")
        await session.send("ServiceWorker.stopAllWorkers")
        await page.goto(report)
        await expect(page.locator("#contact")).to_have_text(NO_CONTACT)


async def test_copy_of_a_report_is_deleted_when_it_is_signed(browser: Browser, tmp_path: Path):
    async with report_open(browser, tmp_path) as (_, _, page):
        await eventually(lambda: has_copy(page), what="the copy of the report")
        await page.get_by_role("link", name="Sign", exact=True).click()
        await page.get_by_role("button", name="Sign the report").click()
        await expect(page.locator("#sealed")).to_be_visible()
        await eventually(lambda: has_no_copy(page), what="the copy is deleted")


async def test_page_that_is_not_a_report_deletes_the_copy_and_so_does_its_lock_with_the_key(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (_, reach, page):
        await eventually(lambda: has_copy(page), what="the copy of the report")
        await page.goto(f"{reach.url}/")
        await eventually(lambda: has_no_copy(page), what="the live page has deleted the copy")
        await page.evaluate(LEAVE)
        assert await facts(page) == 2
        await page.evaluate("import('/static/session.js').then((session) => session.lock())")
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        assert await facts(page) == 1
        assert not await take_key(page)


async def test_lock_of_one_page_locks_the_other_pages_of_the_tablet_and_a_use_keeps_them_open(
    browser: Browser, tmp_path: Path
):
    async with report_open(browser, tmp_path) as (_, reach, page):
        await page.clock.install()
        await open_narrative(page, reach.url)
        await eventually(lambda: has_copy(page), what="the copy of the report")
        second = await page.context.new_page()
        await second.goto(f"{reach.url}/")
        await page.evaluate(
            """() => {
                 const others = new BroadcastChannel("argus-session");
                 window.used = new Promise((resolve) => { others.onmessage = ({ data }) => resolve(data.act); });
               }"""
        )
        await page.clock.fast_forward(round(LOCK_AFTER_S * 1000) - 60_000)
        await second.locator("#clock").click()
        assert await page.evaluate("window.used") == "use"
        await page.clock.fast_forward(120_000)
        await expect(page.locator(NARRATIVE)).to_be_visible()
        await second.evaluate("import('/static/session.js').then((session) => session.lock())")
        await page.wait_for_url(f"{reach.url}/")
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        assert not await take_key(page)
        assert await facts(page) == 1


async def test_key_that_no_page_takes_is_dropped_after_20_seconds(browser: Browser, tmp_path: Path):
    async with report_open(browser, tmp_path) as (_, _, page):
        await eventually(lambda: has_copy(page), what="the copy of the report")
        (worker,) = page.context.service_workers
        await worker.evaluate(
            """() => {
                 self.expiry = new Promise((resolve) => {
                   self.setTimeout = (done, milliseconds) => { resolve({ done, milliseconds }); return 0; };
                 });
               }"""
        )
        await page.evaluate(LEAVE)
        assert await worker.evaluate("async () => [(await self.expiry).milliseconds, held !== null]") == [20_000, True]
        await worker.evaluate("async () => { (await self.expiry).done(); }")
        assert await worker.evaluate("() => held === null")
