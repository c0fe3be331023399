"""The crew page on a tablet: signing in with the PIN, live values with source and age, and the gateway's state.

`test_live_page_is_truthful` and `test_live_page_layout` test the live page in more detail.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect

from gateway.transports.clock import SystemClock
from tests.builders.crew_live import CUFF, OXIMETER, ecg, filled_feed, live_device, report_all, spo2
from tests.harness.browser import PHONE, TABLET
from tests.harness.crew_app import ALL_SENT, PIN, crew_app, enter_pin
from tests.harness.crew_browser import open_page, stop_time
from tests.harness.moved_clock import MovedClock

pytestmark = pytest.mark.asyncio(loop_scope="session")

NewPage = Callable[[dict[str, int]], Awaitable[Page]]

TRACE_IS_DRAWN = """() => {
  const canvas = document.querySelector("#ecg-strip canvas");
  const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const besideTheMark = (at) => (at >> 2) % canvas.width > 60;
  return dots.some((strength, at) => at % 4 === 1 && strength > 150 && besideTheMark(at));
}"""


@pytest_asyncio.fixture(loop_scope="session")
async def new_page(browser: Browser) -> AsyncIterator[NewPage]:
    """Open pages of a viewport, and close them after the test: an open page would go on drawing its waveforms."""
    contexts: list[BrowserContext] = []

    async def open_one(viewport: dict[str, int]) -> Page:
        contexts.append(await browser.new_context(viewport=viewport))  # type: ignore[arg-type]  # a TypedDict of its own
        return await contexts[-1].new_page()

    yield open_one
    for context in contexts:
        await context.close()


async def enter(session: aiohttp.ClientSession, url: str, pin: str) -> aiohttp.ClientResponse:
    return await session.post(f"{url}/sign-in", data={"pin": pin}, allow_redirects=False)


async def test_crew_page_without_a_session_redirects_to_the_sign_in_page():
    async with crew_app(filled_feed(now_s=0.0)) as url, aiohttp.ClientSession() as session:
        page = await session.get(url, allow_redirects=False)
        assert (page.status, page.headers["Location"]) == (303, "/sign-in")
        stream = await session.get(f"{url}/live")
        assert stream.status == 401
        assert "97" not in await stream.text()


async def test_sign_in_with_wrong_pins_is_refused_and_rate_limited():
    async with crew_app() as url, aiohttp.ClientSession() as session:
        first = await enter(session, url, "000000")
        assert first.status == 403
        assert "not this vehicle’s PIN" in (await first.text()).replace("&#39;", "’")
        answers = [await enter(session, url, f"00000{n}") for n in range(1, 6)]
        assert answers[-1].status == 429
        assert "Wait" in await answers[-1].text()
        assert (await enter(session, url, PIN)).status == 429


async def test_crew_session_survives_a_gateway_restart_and_expires_after_twelve_hours():
    clock = MovedClock()
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as session:
        async with crew_app(clock=clock) as url:
            assert (await enter(session, url, PIN)).status == 303
        cookie = {each.key: each.value for each in jar}
        async with crew_app(clock=clock) as url:
            assert (await session.get(url, cookies=cookie, allow_redirects=False)).status == 200
            await clock.advance(12 * 3600)
            assert (await session.get(url, cookies=cookie, allow_redirects=False)).status == 303


@pytest.mark.parametrize("cookie", ["", "9", "99999999999.00", "1.2.3", "x" * 4000, "99999999999." + "0" * 64])
async def test_forged_crew_session_cookie_is_refused(cookie: str):
    async with crew_app() as url, aiohttp.ClientSession() as session:
        answer = await session.get(url, cookies={"argus_crew": cookie}, allow_redirects=False)
        assert answer.status == 303


async def test_sign_in_form_cannot_be_sent_or_framed_by_another_site():
    async with crew_app() as url, aiohttp.ClientSession() as session:
        forged = await session.post(f"{url}/sign-in", data={"pin": PIN}, headers={"Sec-Fetch-Site": "cross-site"})
        assert forged.status == 403
        page = await session.get(f"{url}/sign-in")
        assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
        assert page.headers["Cache-Control"] == "no-store"


async def test_oversized_request_body_is_refused_before_it_is_read():
    async with crew_app() as url, aiohttp.ClientSession() as session:
        assert (await enter(session, url, "1" * 5000)).status == 413


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [TABLET, PHONE], ids=["tablet", "phone"])
async def test_crew_page_shows_a_waveform_and_each_value_with_its_source_and_age(
    new_page: NewPage, viewport: dict[str, int]
):
    clock = SystemClock()
    async with crew_app(filled_feed(now_s=clock.monotonic_s()), clock=clock) as url:
        page = await new_page(viewport)
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        await enter_pin(page, url)
        saturation = page.locator("article", has_text="SpO₂")
        await expect(saturation).to_contain_text("97")
        await expect(saturation).to_contain_text("%")
        await expect(saturation).to_contain_text(OXIMETER.model)
        await expect(page.locator("article", has_text="NIBP")).to_contain_text("121/79 (93)")
        await expect(page.locator("article", has_text="NIBP")).to_contain_text("4 min ago")
        await expect(page.get_by_text("The monitor’s own screen is primary.")).to_be_visible()
        await expect(page.locator("#cloud")).to_have_text("Network: all sent")
        await expect(page.locator("#devices li")).to_have_count(3)
        await expect(page.locator("#ecg-strip select")).to_contain_text("ECG")
        await page.wait_for_function(TRACE_IS_DRAWN)
        too_wide = (
            "() => [...document.querySelectorAll('html, article')].filter((e) => e.scrollWidth > e.clientWidth).length"
        )
        assert await page.evaluate(too_wide) == 0
        assert complaints == []


@pytest.mark.browser
async def test_new_reading_replaces_the_previous_reading_on_the_crew_page(browser: Browser):
    async with open_page(browser, lambda feed, now_s: report_all(feed, now_s=now_s)) as opened:
        saturation = opened.page.locator("article", has_text="SpO₂")
        await expect(saturation).to_contain_text("97")
        reported = [spo2(88.0, received_s=opened.now_s, status=0x4000)]
        opened.feed.observed(live_device(OXIMETER, last_s=opened.now_s), reported, 0)
        await opened.pass_time(0.25)
        await expect(saturation).to_contain_text("88")
        await expect(saturation).to_contain_text("questionable")
        reported = [spo2(91.0, received_s=opened.now_s - 33.5)]
        opened.feed.observed(live_device(OXIMETER, last_s=opened.now_s), reported, 0)
        await opened.pass_time(0.25)
        await expect(saturation).to_contain_text("old: 34 s ago")
        opened.feed.device(live_device(CUFF, connected=False))
        await opened.pass_time(0.25)
        await expect(opened.page.locator("#devices li", has_text=CUFF.model)).to_contain_text("disconnected")
        await expect(opened.page.locator("article:not(.stale)", has_text="NIBP")).to_contain_text("4 min ago")


@pytest.mark.browser
async def test_crew_page_shows_every_value_as_stale_when_it_loses_the_connection_to_the_gateway(new_page: NewPage):
    clock = MovedClock()
    page = await new_page(TABLET)
    await stop_time(page)
    async with crew_app(filled_feed(now_s=clock.monotonic_s()), clock=clock) as url:
        await enter_pin(page, url)
        await expect(page.locator("#link")).to_have_text("Live")
    await page.clock.run_for(20_000)
    await expect(page.locator("#link")).to_contain_text("No contact with the gateway")
    assert await page.locator("article:not(.stale)").count() == 0


@pytest.mark.browser
async def test_language_of_the_browser_is_used_until_the_tablet_chooses_another(browser: Browser):
    async with crew_app(filled_feed(now_s=0.0)) as url:
        context = await browser.new_context(viewport=TABLET, locale="pl-PL")  # type: ignore[arg-type]  # as above
        try:
            page = await context.new_page()
            await page.goto(url)
            await expect(page.get_by_label("PIN pojazdu")).to_be_visible()
            await page.get_by_text("Ustawienia").click()
            await page.locator("#language-choice").select_option("de")
            await expect(page.get_by_label("PIN des Fahrzeugs")).to_be_visible()
            await context.request.post(f"{url}/sign-in", form={"pin": PIN}, max_redirects=0)
            await page.goto(url)
            await expect(page.locator("#cloud")).to_have_text("Netz: alles gesendet")
            await expect(page.locator("article", has_text="HF")).to_contain_text("72")
        finally:
            await context.close()


@pytest.mark.browser
async def test_look_is_that_of_the_tablet_until_another_is_chosen_and_then_kept(new_page: NewPage):
    async with crew_app() as url:
        page = await new_page(PHONE)
        look = page.locator("html")
        await page.emulate_media(color_scheme="dark")
        await page.goto(url)
        await expect(look).to_have_attribute("data-look", "night")
        await page.emulate_media(color_scheme="light")
        await expect(look).to_have_attribute("data-look", "day")
        await page.get_by_text("Settings").click()
        await page.locator("#look-choice").select_option("contrast")
        await expect(look).to_have_attribute("data-look", "contrast")
        await page.reload()
        await expect(look).to_have_attribute("data-look", "contrast")


@pytest.mark.browser
async def test_crew_page_without_a_network_shows_the_number_of_readings_stored_in_the_vehicle(new_page: NewPage):
    status = replace(ALL_SENT, online=False, backlog=12_345, store_ok=False, gaps=2)
    async with crew_app(status=status) as url:
        page = await new_page(PHONE)
        await enter_pin(page, url)
        await expect(page.locator("#cloud")).to_have_text("No network: 12,345 readings are safe here")
        await expect(page.locator("#store")).to_contain_text("disk is full")
        await expect(page.get_by_text("No device has sent a value yet.")).to_be_visible()


@pytest.mark.browser
@pytest.mark.finding("reliability-A1")
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (replace(ALL_SENT, online=False, store_ok=False, recording=False), "Nothing is being"),
        (replace(ALL_SENT, set_aside=1), "set aside"),
    ],
    ids=["no store", "spare store"],
)
async def test_crew_page_describes_store_faults_in_plain_language(new_page: NewPage, status, words):
    async with crew_app(status=status) as url:
        page = await new_page(PHONE)
        await enter_pin(page, url)
        await expect(page.locator("#store")).to_contain_text(words)


async def test_samples_of_an_unselected_waveform_are_not_sent_to_the_crew_page():
    clock = SystemClock()
    feed = filled_feed(now_s=clock.monotonic_s())
    async with (
        crew_app(feed, clock=clock) as url,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):
        await enter(session, url, PIN)
        stream = await session.get(f"{url}/live", params={"wave": "nothing:0"})
        assert stream.headers["Content-Type"] == "text/event-stream"
        picture = await stream.content.readuntil(b"\n\n")
        assert picture.startswith(b"event: picture\n")
        feed.observed(live_device(OXIMETER, last_s=0.0), [ecg(0, received_s=clock.monotonic_s())], 0)
        while not (message := await stream.content.readuntil(b"\n\n")).startswith(b"event: changes"):
            pass
        assert b'"samples"' not in message
        stream.close()
