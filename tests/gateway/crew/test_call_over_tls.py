"""Story of a call on two tablets that trust the vehicle's authority through the browser's own store (NSS).

The gateway is the real process, serves TLS, has a simulated oximeter in its reach, and is killed while a crew member
types.
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, expect

from gateway.crew.welcome import AUTHORITY_PATH
from gateway.security.crew_members import CrewMember
from protocols.epcr.crew_role import CrewRole
from simulators.demo.free_ports import free_port
from tests.harness.ble_vehicle import ble_vehicle, on_air, radio_process
from tests.harness.browser import PHONE, TABLET, chromium, install_authority
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.browser]

SATURATION = re.compile(r"\d+")
TYPED = "Patient found sitting, pale and sweating; pain since one o'clock."


async def offered_authority(port: int) -> bytes:
    """Return the certificate that the page without TLS offers to a new tablet."""

    async def get() -> bytes:
        try:
            async with (
                aiohttp.ClientSession() as tablet,
                tablet.get(f"http://127.0.0.1:{port}{AUTHORITY_PATH}") as found,
            ):
                return await found.read()
        except aiohttp.ClientConnectionError:
            return b""

    return await eventually(get, what="the crew page")


async def add_member(vehicle: Vehicle, id: str, name: str) -> CrewMember:
    added = await vehicle.invoke("crew", "add", id, "--name", name, "--role", "paramedic", "--json")
    return CrewMember(id=id, name=name, role=CrewRole.PARAMEDIC, pin=added.json()["pin"])


@asynccontextmanager
async def tablet(browser: Browser, viewport: dict[str, int]) -> AsyncIterator[Page]:
    """Open a page on a tablet of its own; after the block, check that nothing went wrong on it. Requests that fail or
    are refused are not errors of the page."""
    context = await browser.new_context(viewport=viewport, locale="en-GB")  # type: ignore[arg-type]
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def note(line: ConsoleMessage) -> None:
        if line.type == "error" and not line.text.startswith("Failed to load resource"):
            errors.append(line.text)

    page.on("console", note)
    try:
        yield page
        assert errors == []
    finally:
        await context.close()


async def sign_in(page: Page, url: str, vehicle_pin: str, member: CrewMember) -> None:
    """Enter the vehicle's PIN on a new tablet, then sign in by name."""
    await page.goto(url)
    await page.fill("#pin", vehicle_pin)
    await page.press("#pin", "Enter")
    await page.get_by_role("link", name="Sign in").click()
    await page.get_by_text(member.name).click()
    await page.fill("#pin", member.pin)  # six digits are sent at once
    await expect(page.get_by_role("link", name=member.name)).to_be_visible()


def field(page: Page, key: str) -> Locator:
    return page.locator(f'.page:not([hidden]) .field[data-key="{key}"]')


async def pair_oximeter(page: Page, url: str, address: str) -> None:
    """Pair a device on the tablet, and wait until its saturation and the trend of it are on the screen."""
    await page.goto(f"{url}/#devices")
    await page.get_by_text("Pair a device").click()
    await page.locator("#pairing li", has_text=address).get_by_role("button").click()
    question = page.locator(".pairing-question")
    await expect(question).to_contain_text(address)
    await question.get_by_role("button", name="Pair", exact=True).click()
    await expect(page.locator(".pairing-state")).to_contain_text("Paired:")
    await page.goto(f"{url}/#live")
    await expect(page.locator('[data-tile="spo2"] .main')).to_have_text(SATURATION)
    await page.goto(f"{url}/#trends")
    await expect(page.locator(".plot figcaption", has_text="SpO₂")).to_be_visible()


async def accept_saturation(page: Page) -> None:
    """Accept what the oximeter measured, and find it in the vital signs."""
    proposal, sections = page.locator(".proposal").first, page.locator("#sections")

    async def is_offered() -> bool:  # the page looks for measurements when one of the two is opened
        for section in ("#gaps", "#proposals"):
            await sections.locator(f'a[href="{section}"]').click()
        return await page.locator(".proposal").count() > 0

    await eventually(is_offered, what="the saturation is offered")
    await expect(proposal).to_contain_text(re.compile(r"SpO₂ \d+"))
    await proposal.get_by_role("button", name="Accept").click()
    await sections.get_by_role("link", name="Vital signs").click()
    await expect(page.locator(".page:not([hidden]) .entry-card").first).to_contain_text(re.compile(r"SpO₂ \d+"))


async def type_while_the_gateway_is_killed(page: Page, vehicle: Vehicle) -> None:
    narrative = field(page, "narrative.text").get_by_role("textbox")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    typing = asyncio.create_task(narrative.type(TYPED, delay=30))
    await eventually(lambda: sum(url.endswith("/changes") for url in sent) >= 2, what="two requests of changes")
    await vehicle.kill()
    await typing
    await expect(page.locator("#saved")).to_contain_text("No contact with the gateway")
    await vehicle.start()
    await expect(page.locator("#saved")).to_have_text("Saved")


async def read_hand_over(reader: Page, url: str, code: str) -> str:
    """Open the hand-over with its code on a device of the hospital; return what the page states."""
    await reader.goto(f"{url}/h")
    await reader.fill("#code", code)
    await reader.press("#code", "Enter")
    await reader.wait_for_url(f"{url}/h/view")
    return await reader.locator("main").inner_text()


async def test_check_22_call_over_tls_from_pairing_to_hand_over_loses_nothing_by_a_killed_gateway(
    tmp_path: Path,
):
    port = free_port()
    crew = f'[crew]\nlisten = "0.0.0.0:{port}"\nmdns = false\n'
    url = f"https://argus.local:{port}"
    async with (
        radio_process(tmp_path) as radio,
        ble_vehicle(tmp_path, radio, started=False, more_settings=crew) as vehicle,
        on_air(radio) as oximeter,
    ):
        anna, ewa = await add_member(vehicle, "usr_17", "Anna Nowak"), await add_member(vehicle, "usr_18", "Ewa Lis")
        pin = (vehicle.state_dir / "crew.pin").read_text().strip()
        await vehicle.start()
        install_authority(tmp_path / "home", await offered_authority(port))
        flags = ["--host-resolver-rules=MAP argus.local 127.0.0.1"]
        async with (
            chromium(flags=flags, home=tmp_path / "home") as browser,
            tablet(browser, TABLET) as page,
            tablet(browser, PHONE) as second,
            tablet(browser, PHONE) as reader,
        ):
            await sign_in(page, url, pin, anna)
            await sign_in(second, url, pin, ewa)
            await pair_oximeter(page, url, oximeter.address)
            await page.get_by_role("link", name="Reports").click()
            await page.get_by_role("button", name="New report").click()
            await page.wait_for_url(f"{url}/reports/enc_*")
            encounter = page.url.rpartition("/")[2].partition("#")[0]
            await accept_saturation(page)
            await page.get_by_role("link", name="Narrative").click()
            await expect(page.locator("#saved")).to_have_text("Saved")
            await type_while_the_gateway_is_killed(page, vehicle)

            await second.goto(f"{url}/reports/{encounter}#narrative")
            await expect(field(second, "narrative.text").get_by_role("textbox")).to_have_value(TYPED)
            await expect(second.locator("#saved")).to_have_text("Saved")  # with the key, without which nothing is kept
            await second.context.set_offline(True)
            await second.get_by_role("link", name="Patient").click()
            await field(second, "patient.sex").get_by_role("button", name="Female").click()
            await expect(second.locator("#saved")).to_contain_text("1 entry is kept on this tablet, encrypted")
            await second.context.set_offline(False)
            await expect(second.locator("#saved")).to_have_text("Saved")
            await page.get_by_role("link", name="Patient").click()
            await expect(field(page, "patient.sex").locator("[aria-pressed=true]")).to_contain_text("Female")

            await page.get_by_role("link", name="Sign", exact=True).click()
            await page.get_by_role("button", name="Sign the report").click()
            await expect(second.locator("#sealed")).to_be_visible()
            await page.get_by_role("textbox", name="Reason for the addendum").fill("The age was found later")
            await page.get_by_role("button", name="Begin the addendum").click()
            await page.get_by_role("link", name="Complaint").click()
            complaint = field(page, "situation.complaint").get_by_role("textbox")
            await complaint.fill("Chest pain")
            await complaint.blur()
            await expect(page.locator("#saved")).to_have_text("Saved")

            await page.goto(f"{url}/handover/{encounter}")
            await page.get_by_role("button", name="Show the code").click()
            read = await read_hand_over(reader, url, await page.locator(".letters").inner_text())
            assert "Chest pain" in read
            assert "female" in read
