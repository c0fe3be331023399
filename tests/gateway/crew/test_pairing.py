"""Pairing of a device on the tablet: the list, the questions of a pairing, and its end."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Browser, Route, expect

from gateway.crew.pairing import CONFIRM_S, PairingParts, Questioner
from gateway.security.crew_members import CrewMember
from gateway.sessions.gatt.pairing_failures import Trouble, failed
from tests.gateway.crew.test_report_stories import tablet
from tests.harness.axe import violations
from tests.harness.crew_app import PARAMEDIC, new_crew_app, serving
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock
from tests.harness.page_requests import intercept
from tests.harness.report_tablets import Tablet

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESS = "C0:FF:EE:00:00:01"
OXIMETER = {
    "address": ADDRESS,
    "name": "OX-1",
    "services": ["1822"],
    "offers": "pulse oximeter",
    "measures": True,
    "rssi": -52,
    "heard_s": 0.4,
    "paired": False,
    "namesake_of": None,
}


class ScriptedPairings:
    """Pairings whose device requires a confirmation and six digits."""

    def __init__(self) -> None:
        self.paired: list[tuple[str, str]] = []
        self.digits: int | None = None

    def nearby(self) -> dict[str, Any]:
        return {"usable": True, "heard": [OXIMETER]}

    async def pair(self, address: str, person: Questioner, who: str) -> str:
        await person.show_step("listening", "")
        if not await person.confirm("", None):
            raise failed(Trouble.NOT_CONFIRMED)
        await person.show_step("pairing", "")
        self.digits = await person.passkey("")
        if self.digits is None:
            raise failed(Trouble.NO_DIGITS)
        self.paired.append((address, who))
        return "OX-1"


@asynccontextmanager
async def served(pairings: ScriptedPairings, clock: MovedClock | None = None) -> AsyncIterator[str]:
    parts = PairingParts(nearby=pairings.nearby, pair=pairings.pair)
    async with serving(new_crew_app(clock=clock, members=(PARAMEDIC,), lock_after_s=6 * 3600.0, pairing=parts)) as url:
        yield url


@asynccontextmanager
async def signed_in(url: str, member: CrewMember = PARAMEDIC) -> AsyncIterator[Tablet]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
        opened = Tablet(session, url)
        await opened.sign_in(member)
        yield opened


async def state(opened: Tablet) -> dict[str, Any]:
    found: dict[str, Any] = (await opened.get("/pairing")).body["pairing"]
    return found


@pytest.mark.browser
async def test_member_pairs_a_device_by_its_name_and_enters_the_digits_that_it_shows(browser: Browser):
    pairings = ScriptedPairings()
    async with served(pairings) as url, tablet(browser, url, PARAMEDIC) as page:
        held: asyncio.Queue[Route] = asyncio.Queue()
        await intercept(page, "**/texts/*/pairing.js", held.put)
        await page.goto(f"{url}/#devices", wait_until="commit")
        words = await held.get()
        await page.get_by_text("Pair a device").click()  # before the page has its words, as on a slow tablet
        await words.continue_()
        await expect(page.locator("#pairing li")).to_contain_text("strong signal")
        await page.get_by_role("button", name="Pair: OX-1").click()
        question = page.locator(".pairing-question")
        await expect(question).to_contain_text(f"Pair OX-1 ({ADDRESS})?")
        assert await violations(page) == []
        await question.get_by_role("button", name="Pair", exact=True).click()
        await question.get_by_role("textbox").press_sequentially("012345")
        await question.get_by_role("button", name="Enter").click()
        await expect(page.locator(".pairing-state")).to_contain_text("Paired: OX-1")
        assert pairings.digits == 12345
        assert pairings.paired == [(ADDRESS, f"crew {PARAMEDIC.id}")]


@pytest.mark.browser
async def test_live_page_that_lists_devices_stays_open_when_it_is_locked(browser: Browser):
    async with served(ScriptedPairings()) as url, tablet(browser, url, PARAMEDIC) as page:
        await page.clock.install()
        await page.goto(f"{url}/#devices")
        await page.get_by_text("Pair a device").click()
        await expect(page.locator("#pairing li")).to_contain_text("strong signal")
        await page.locator("[data-lock] button").click()
        await expect(page.locator("#pairing")).to_have_count(0)
        await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        await page.clock.run_for(2500)  # longer than two requests of the list are apart
        assert f"{url}/pairing" not in requested
        assert page.url == f"{url}/#devices"


async def test_question_without_a_reply_ends_the_pairing_and_the_next_one_can_begin():
    clock = MovedClock()
    async with served(ScriptedPairings(), clock) as url, signed_in(url) as opened:
        assert (await opened.post("/pairing", {"address": ADDRESS})).status == 200
        assert (await opened.post("/pairing", {"address": ADDRESS})).status == 409

        async def has_question() -> bool:
            return (await state(opened))["question"] == "confirm"

        await eventually(has_question)
        await clock.advance(CONFIRM_S)
        assert (await state(opened))["failed"] == "not_confirmed"
        assert (await opened.post("/pairing/reply", {"reply": True})).status == 409
        assert (await opened.post("/pairing", {"address": ADDRESS})).status == 200


async def test_pairing_needs_a_member_and_an_address():
    async with served(ScriptedPairings()) as url, signed_in(url) as opened:
        assert (await opened.post("/pairing", {"address": 7})).status == 422
        await opened.post("/lock", {})
        assert (await opened.get("/pairing")).status == 401
