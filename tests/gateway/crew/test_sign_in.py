"""Signing in by name on the tablet: personal PINs, change of user, locking, and what a session is bound to."""

import asyncio

import aiohttp
import pytest
from playwright.async_api import Browser, Route, expect

from gateway.buffer.devices import STATE_VALUE_LENGTH_MAX
from gateway.buffer.errors import BufferError, StoreFull
from gateway.crew.app import ENDED_LIVE_STATE, ENDED_MEMBERS_STATE
from gateway.crew.ended_sessions import ENDED_MAX, EndedSessions
from gateway.crew.session import LOCK_GRACE_S, MEMBER_COOKIE, TABLET_COOKIE
from gateway.security.crew_members import CrewMember
from gateway.security.guess_limit import FREE_GUESSES
from protocols.epcr.crew_role import CrewRole
from tests.builders.crew_live import filled_feed
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET
from tests.harness.crew_app import PARAMEDIC, PIN, FixedMembers, crew_app, enter_pin
from tests.harness.crew_browser import stop_time
from tests.harness.moved_clock import MovedClock
from tests.harness.page_requests import intercept

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOCK_AFTER_S = 60.0
DRIVER = CrewMember(id="usr_18", name="Jan Kowalski", role=CrewRole.DRIVER, pin="180018")


def new_tablet() -> aiohttp.ClientSession:
    return aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True))


def cookies_of(tablet: aiohttp.ClientSession) -> dict[str, str]:
    return {each.key: each.value for each in tablet.cookie_jar}


async def enter(tablet: aiohttp.ClientSession, url: str, pin: str, member: str = "") -> int:
    async with tablet.post(f"{url}/sign-in", data={"pin": pin, "member": member}, allow_redirects=False) as reply:
        return reply.status


async def user_of(tablet: aiohttp.ClientSession, url: str) -> str | None:
    """Return the id of the member who uses the tablet; None: no member has signed in."""
    async with tablet.get(url) as reply:
        text = await reply.text()
    return text.partition('data-member="')[2].partition('"')[0] or None


async def status_with(cookies: dict[str, str], url: str) -> int:
    """Return the status of the live page for a client that has copied these cookies."""
    async with aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as thief:
        return (await thief.get(url, allow_redirects=False)).status


async def user_with(cookies: dict[str, str], url: str) -> str | None:
    async with aiohttp.ClientSession(cookies=cookies, cookie_jar=aiohttp.CookieJar(unsafe=True)) as thief:
        return await user_of(thief, url)


async def post(tablet: aiohttp.ClientSession, url: str, path: str) -> int:
    async with tablet.post(f"{url}{path}", allow_redirects=False) as reply:
        return reply.status


async def test_member_signs_in_by_name_on_a_tablet_that_entered_the_vehicles_pin():
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as tablet:
        assert await enter(tablet, url, PIN) == 303
        assert await user_of(tablet, url) is None
        assert await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id) == 303
        assert await user_of(tablet, url) == PARAMEDIC.id


async def test_tablet_that_never_entered_the_vehicles_pin_learns_no_name_and_cannot_try_a_personal_pin():
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as stranger, new_tablet() as tablet:
        assert PARAMEDIC.name not in await (await stranger.get(f"{url}/sign-in")).text()
        for _ in range(FREE_GUESSES + 1):
            assert await enter(stranger, url, PARAMEDIC.pin, PARAMEDIC.id) == 403
        assert await enter(tablet, url, PIN) == 303
        assert await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id) == 303


async def test_wrong_personal_pins_delay_only_the_member_whose_pin_was_guessed():
    async with crew_app(members=[PARAMEDIC, DRIVER]) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        answers = [await enter(tablet, url, f"00000{digit}", PARAMEDIC.id) for digit in range(FREE_GUESSES + 1)]
        assert answers == [403] * FREE_GUESSES + [429]
        assert await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id) == 429
        assert await enter(tablet, url, DRIVER.pin, DRIVER.id) == 303


async def test_member_signs_in_after_the_live_session_expired_without_the_vehicles_pin():
    clock = MovedClock()
    async with crew_app(members=[PARAMEDIC], clock=clock) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await clock.advance(13 * 3600)
        async with tablet.get(url) as page:
            assert PARAMEDIC.name in await page.text(), "the sign-in page of a known tablet"
        assert await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id) == 303
        assert await user_of(tablet, url) == PARAMEDIC.id


async def test_change_of_user_ends_the_session_of_the_previous_member():
    async with crew_app(members=[PARAMEDIC, DRIVER]) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        earlier = cookies_of(tablet)
        await enter(tablet, url, DRIVER.pin, DRIVER.id)
        assert await user_of(tablet, url) == DRIVER.id
        assert await user_with(cookies_of(tablet) | {MEMBER_COOKIE: earlier[MEMBER_COOKIE]}, url) is None


@pytest.mark.parametrize("path", ["/lock", "/sign-out"])
async def test_locked_session_is_refused_from_then_on_also_by_a_copy_of_its_cookies(path: str):
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        copied = cookies_of(tablet)
        assert await user_with(copied, url) == PARAMEDIC.id
        async with tablet.post(f"{url}{path}", allow_redirects=False) as reply:
            assert (reply.status, reply.headers["Clear-Site-Data"]) == (303, '"cache"')
        assert await user_with(copied, url) is None
        async with tablet.get(url, allow_redirects=False) as page:
            assert page.status == (200 if path == "/lock" else 303)


async def test_sign_out_ends_every_copy_of_the_live_session():
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        by_pin = cookies_of(tablet)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        copied = cookies_of(tablet)
        assert (await status_with(by_pin, url), await status_with(copied, url)) == (303, 200), "one session of a tablet"
        assert await post(tablet, url, "/sign-out") == 303
        assert await status_with(copied, url) == 303
        assert await enter(tablet, url, PIN) == 303
        assert await status_with(cookies_of(tablet), url) == 200


async def test_session_is_locked_after_the_idle_time_and_live_values_stay_visible():
    clock = MovedClock()
    async with crew_app(members=[PARAMEDIC], clock=clock, lock_after_s=LOCK_AFTER_S) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        for _ in range(5):
            await clock.advance(LOCK_AFTER_S)
            assert await post(tablet, url, "/activity") == 204
        await clock.advance(LOCK_AFTER_S / 2)
        assert await user_of(tablet, url) == PARAMEDIC.id
        await clock.advance(LOCK_AFTER_S / 2 + LOCK_GRACE_S)
        assert await user_of(tablet, url) is None
        assert await post(tablet, url, "/activity") == 204
        assert await user_of(tablet, url) is None
        async with tablet.get(f"{url}/live") as stream:
            assert stream.status == 200


async def test_reading_the_page_does_not_keep_a_session_open():
    clock = MovedClock()
    async with crew_app(members=[PARAMEDIC], clock=clock, lock_after_s=LOCK_AFTER_S) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        for _ in range(3):
            await clock.advance((LOCK_AFTER_S + LOCK_GRACE_S) / 3)
            seen = await user_of(tablet, url)
        assert seen is None


async def test_session_continues_after_a_restart_and_is_locked_at_the_time_at_which_it_would_have_been():
    clock = MovedClock()
    async with new_tablet() as tablet:
        async with crew_app(members=[PARAMEDIC], clock=clock, lock_after_s=LOCK_AFTER_S) as url:
            await enter(tablet, url, PIN)
            await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        await clock.advance(LOCK_AFTER_S)
        async with crew_app(members=[PARAMEDIC], clock=clock, lock_after_s=LOCK_AFTER_S) as url:
            assert await user_of(tablet, url) == PARAMEDIC.id
            await clock.advance(LOCK_GRACE_S)
            assert await user_of(tablet, url) is None


class StoredTexts:
    """The small texts of a gateway's store. `fault`: what each write and read raises."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.fault: BufferError | None = None

    async def state_get(self, name: str) -> str | None:
        if self.fault is not None:
            raise self.fault
        return self.texts.get(name)

    async def state_put(self, name: str, value: str) -> None:
        assert len(value) <= STATE_VALUE_LENGTH_MAX
        if self.fault is not None:
            raise self.fault
        self.texts[name] = value


@pytest.mark.parametrize("path", ["/lock", "/sign-out"])
async def test_locked_session_is_refused_after_a_restart_of_the_gateway_also_by_a_copy_of_its_cookies(path: str):
    clock, store = MovedClock(), StoredTexts()
    async with new_tablet() as tablet:
        async with crew_app(members=[PARAMEDIC], clock=clock, store=store) as url:
            await enter(tablet, url, PIN)
            await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
            copied = cookies_of(tablet)
            await post(tablet, url, path)
        async with crew_app(members=[PARAMEDIC], clock=clock, store=store) as url:
            assert await user_with(copied, url) is None
            assert await status_with(copied, url) == (200 if path == "/lock" else 303)
        assert PARAMEDIC.id not in str(store.texts)


async def test_store_that_is_full_or_damaged_prevents_neither_a_lock_nor_a_start():
    store = StoredTexts()
    store.fault = StoreFull("no space")
    async with crew_app(members=[PARAMEDIC], store=store) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        copied = cookies_of(tablet)
        assert await post(tablet, url, "/lock") == 303
        assert await user_with(copied, url) is None
    store.fault, store.texts = None, dict.fromkeys((ENDED_LIVE_STATE, ENDED_MEMBERS_STATE), "no id")
    async with crew_app(members=[PARAMEDIC], store=store) as url, new_tablet() as tablet:
        assert await enter(tablet, url, PIN) == 303


async def test_stored_list_of_ended_sessions_keeps_the_newest_within_the_length_of_a_text():
    store = StoredTexts()
    ended = EndedSessions("ended", store)
    for number in range(ENDED_MAX + 1):
        await ended.add(f"{number:024x}")
    again = EndedSessions("ended", store)
    await again.load()
    assert f"{0:024x}" not in again
    assert all(f"{number:024x}" in again for number in range(1, ENDED_MAX + 1))


async def test_session_is_refused_on_another_tablet():
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as tablet, new_tablet() as other:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        await enter(other, url, PIN)
        copied = cookies_of(tablet)
        assert await status_with(copied, url) == 200
        assert await status_with(copied | {TABLET_COOKIE: cookies_of(other)[TABLET_COOKIE]}, url) == 303


@pytest.mark.parametrize("change", ["removed", "another PIN"])
async def test_session_ends_when_the_member_is_removed_or_gets_another_pin(change: str):
    members = FixedMembers([PARAMEDIC])
    async with crew_app(members=members) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        await enter(tablet, url, PARAMEDIC.pin, PARAMEDIC.id)
        changed = CrewMember(id=PARAMEDIC.id, name=PARAMEDIC.name, role=PARAMEDIC.role, pin="999999")
        members.chosen = {} if change == "removed" else {changed.id: changed}
        assert await user_of(tablet, url) is None


async def test_cookies_name_no_member_and_are_kept_from_scripts_and_other_sites():
    async with crew_app(members=[PARAMEDIC]) as url, new_tablet() as tablet:
        await enter(tablet, url, PIN)
        data = {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}
        async with tablet.post(f"{url}/sign-in", data=data, allow_redirects=False) as reply:
            for each in reply.cookies.values():
                assert (each["httponly"], each["samesite"], each["path"]) == (True, "Strict", "/")
                assert PARAMEDIC.name not in each.value
            assert PARAMEDIC.id not in reply.cookies[TABLET_COOKIE].value


@pytest.mark.browser
async def test_tablet_locks_itself_when_nobody_touches_it_and_shows_live_values_on(browser: Browser):
    clock = MovedClock()
    feed = filled_feed(now_s=clock.monotonic_s())
    members = [PARAMEDIC, DRIVER]
    async with crew_app(feed, members=members, clock=clock, lock_after_s=LOCK_AFTER_S) as url:
        context = await browser.new_context(viewport=TABLET)  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            await stop_time(page)
            await enter_pin(page, url)
            await page.get_by_role("link", name="Sign in").click()
            await page.get_by_text(DRIVER.name).click()
            await page.get_by_text(PARAMEDIC.name).click()
            for digit in PARAMEDIC.pin:
                await page.get_by_role("button", name=digit, exact=True).click()
            await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_be_visible()
            await page.wait_for_load_state()  # the page counts the time without use from then on
            await page.clock.run_for(round(LOCK_AFTER_S * 500))
            await page.mouse.click(600, 400)
            await page.clock.run_for(round(LOCK_AFTER_S * 700))
            await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_be_visible()
            await page.clock.run_for(round(LOCK_AFTER_S * 400))
            await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
            await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_have_count(0)
            await expect(page.locator("article", has_text="SpO₂")).to_contain_text("97")
            await page.reload()
            await expect(page.get_by_role("link", name="Sign in")).to_be_visible()
        finally:
            await context.close()


@pytest.mark.browser
async def test_pin_that_is_typed_before_the_keypad_is_loaded_signs_the_member_in(browser: Browser):
    async with crew_app(members=[PARAMEDIC]) as url:
        context = await browser.new_context()
        try:
            page = await context.new_page()
            await context.request.post(f"{url}/sign-in", form={"pin": PIN}, max_redirects=0)
            held: asyncio.Queue[Route] = asyncio.Queue()
            await intercept(page, "**/keypad.js", held.put)
            await page.goto(f"{url}/sign-in", wait_until="commit")
            await page.get_by_text(PARAMEDIC.name).click()
            await page.fill("#pin", PARAMEDIC.pin)
            await (await held.get()).continue_()
            await expect(page.get_by_role("link", name=PARAMEDIC.name)).to_be_visible()
        finally:
            await context.close()


@pytest.mark.browser
@pytest.mark.parametrize("viewport", [TABLET, PHONE], ids=["tablet", "phone"])
async def test_sign_in_page_with_names_passes_axe_and_its_targets_have_48_pixels(
    browser: Browser, viewport: dict[str, int]
):
    async with crew_app(members=[PARAMEDIC, DRIVER]) as url:
        context = await browser.new_context(viewport=viewport)  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            for form in ({"pin": PIN}, {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}):
                await context.request.post(f"{url}/sign-in", form=form, max_redirects=0)
            await page.goto(f"{url}/sign-in")
            await page.get_by_text("Others").click()
            await expect(page.get_by_role("radio", name=PARAMEDIC.name)).to_be_checked()
            assert await violations(page) == []
            small = await page.evaluate(
                """() => [...document.querySelectorAll("a, button, .name, summary, select")]
                     .filter((each) => each.offsetParent && each.getBoundingClientRect().height < 47.5)
                     .map((each) => each.textContent)"""
            )
            assert small == []
        finally:
            await context.close()
