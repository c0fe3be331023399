"""The page of a share link in a browser: what a physician sees until the arrival, and when the link ends."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from cloud.foundation.db import open_database
from cloud.foundation.http import Host
from protocols.epcr.sharing import link_address
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.share_links import TOKEN, SharedCall, shared_call
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]
RENEW_MS = 10_000
OTHER = "0zyxwvutsrqponmlkjihgfedcba"


@asynccontextmanager
async def call_in(migrated_sqlite: Path, folder: Path) -> AsyncIterator[SharedCall]:
    path = folder / "cloud.db"
    shutil.copy(migrated_sqlite, path)
    database = await open_database(f"sqlite:///{path}")
    gateway = GatewayInVehicle()
    try:
        async with shared_call(await CloudUnderTest(database).register(gateway), gateway) as call:
            yield call
    finally:
        await database.close()


def address(call: SharedCall, token: str = TOKEN) -> str:
    return link_address(call.served.url("", Host.DOCS), token)


async def reader(browser: Browser, noted: list[str], size: dict[str, int] = TABLET) -> Page:
    """Return an empty page of a hospital's computer, whose clock a test moves. `noted` gets the console's messages."""
    context = await browser.new_context(viewport=size, locale="en", reduced_motion="reduce")  # type: ignore[arg-type]
    page = await context.new_page()
    page.on("console", lambda message: noted.append(message.text))
    page.on("pageerror", lambda error: noted.append(str(error)))
    await page.clock.install()
    return page


async def test_physician_follows_the_patient_until_the_arrival(browser: Browser, migrated_sqlite: Path, tmp_path: Path):
    async with call_in(migrated_sqlite, tmp_path) as call:
        await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
        noted: list[str] = []
        page = await reader(browser, noted)
        requested: list[str] = []
        page.on("request", lambda request: requested.append(f"{request.url} {request.headers.get('referer', '')}"))
        await page.goto(address(call))
        await expect(page.get_by_text("Żółć").first).to_be_visible()
        await expect(page.locator("#state")).to_contain_text("Live until the arrival")
        assert await violations(page) == []
        assert TOKEN not in page.url
        assert not [each for each in requested if TOKEN in each]
        await call.send(call.stated("patient.first_name", "Łucja"))
        call.cloud.clock.at_us += 10_000_000
        await page.clock.run_for(RENEW_MS)
        await expect(page.get_by_text("Łucja Żółć").first).to_be_visible()
        await page.get_by_role("button", name="ATMIST").click()
        await expect(page.locator(".first dt", has_text="Time")).to_be_visible()
        await page.reload()
        await expect(page.get_by_text("Łucja Żółć").first).to_be_visible()
        await call.send(call.stated("times.at_destination", "2026-03-24T12:00:00+00:00"))
        await page.clock.run_for(RENEW_MS)
        await expect(page.locator("#state")).to_contain_text("The patient has arrived")
        assert await violations(page) == []
        assert noted == []
        await page.context.close()


async def test_page_on_a_phone_is_not_wider_than_its_screen_and_its_targets_are_large(
    browser: Browser, migrated_sqlite: Path, tmp_path: Path
):
    async with call_in(migrated_sqlite, tmp_path) as call:
        await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
        page = await reader(browser, [], PHONE)
        await page.goto(address(call))
        await expect(page.get_by_text("Żółć").first).to_be_visible()
        assert await violations(page) == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        for button in await page.get_by_role("button").all():
            box = await button.bounding_box()
            assert box is not None
            assert min(box["width"], box["height"]) >= 48
        await page.context.close()


async def test_open_page_is_cleared_when_its_link_is_revoked(browser: Browser, migrated_sqlite: Path, tmp_path: Path):
    async with call_in(migrated_sqlite, tmp_path) as call:
        await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
        page = await reader(browser, [])
        await page.goto(address(call))
        await expect(page.get_by_text("Żółć").first).to_be_visible()
        await call.send(call.revoked())
        await page.clock.run_for(RENEW_MS)
        await expect(page.locator("#state")).to_contain_text("was revoked or has expired")
        await expect(page.get_by_text("Żółć")).to_have_count(0)
        await page.reload()
        await expect(page.locator("#state")).to_contain_text("needs the whole link")
        await page.context.close()


async def test_link_that_the_vehicle_has_not_sent_yet_opens_by_itself(
    browser: Browser, migrated_sqlite: Path, tmp_path: Path
):
    async with call_in(migrated_sqlite, tmp_path) as call:
        page = await reader(browser, [])
        await page.goto(address(call))
        await expect(page.locator("#state")).to_contain_text("no hand-over at this link yet")
        assert await violations(page) == []
        await call.send(call.stated("patient.last_name", "Żółć"), call.shared())
        await page.clock.run_for(RENEW_MS)
        await expect(page.get_by_text("Żółć").first).to_be_visible()
        await page.context.set_offline(True)
        await page.clock.run_for(6 * RENEW_MS)
        await expect(page.locator("#state")).to_contain_text("No contact with the server")
        await expect(page.get_by_text("Żółć").first).to_be_visible()
        await page.context.close()
