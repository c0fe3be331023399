"""Sign-in, consent and administration in a real Chromium, on a tablet and on a telephone, in two languages.

axe-core finds no violation of WCAG 2.2 AA, the console stays empty, no page is wider than the screen, and everything
can be done with the keyboard alone.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from tests.harness.administered_cloud import (
    ADA,
    BO,
    REDIRECT,
    Administered,
    Looking,
    administered_cloud,
    open_all,
    window,
)
from tests.harness.browser import PHONE, TABLET

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SIZES = pytest.mark.parametrize(
    ("viewport", "locale"), [(TABLET, "en-GB"), (PHONE, "pl-PL")], ids=["tablet", "telephone"]
)
_CUT_OFF = (
    "(it => it.scrollHeight > it.clientHeight || it.scrollWidth > it.clientWidth)(document.getElementById('codes'))"
)
TABS_MAX = 120
"""More stops than any page has before its last button."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def office(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Administered]:
    async with administered_cloud(tmp_path_factory.mktemp("office")) as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def signed_in(office: Administered, browser: Browser) -> Any:
    """Sign in as Ada, set up her second factor and copy her recovery codes; return the browser's storage state."""
    page = await window(browser, TABLET, "en-GB")
    look = Looking(page)
    await office.sign_in(page, ADA, at="/sign-in?next=/admin")
    assert await look.faults() == []
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await office.set_up(page)
    for viewport in (PHONE, TABLET):
        await page.set_viewport_size(viewport)  # type: ignore[arg-type]  # a TypedDict of its own
        assert await look.faults() == []
        assert await page.evaluate(_CUT_OFF) is False, "every code is visible without scrolling"
    await page.click("button[data-copy]")
    await page.wait_for_function("document.querySelector('button[data-copy]').textContent === 'Copied'")
    assert len((await page.evaluate("navigator.clipboard.readText()")).split()) == 10
    async with page.expect_navigation():
        await page.click("a.primary")
    assert page.url == office.url("/admin")
    return await page.context.storage_state()


@SIZES
async def test_administration_pages_have_no_accessibility_layout_or_console_error(
    office: Administered, browser: Browser, signed_in: Any, viewport: dict[str, int], locale: str
) -> None:
    page = await window(browser, viewport, locale, signed_in)
    look, faults = Looking(page), []
    for path in office.addresses.values():
        await page.goto(office.url(path))
        await open_all(page)
        faults += await look.faults()
    for path in ("/admin/apps/app_nowhere", "/admin/users?cursor=AAAA"):
        await page.goto(office.url(path))
        faults += await look.faults(refused=True)
    assert faults == []


@SIZES
async def test_generated_password_is_selected_for_copying_when_its_field_gets_the_focus(
    office: Administered, browser: Browser, signed_in: Any, viewport: dict[str, int], locale: str
) -> None:
    page = await window(browser, viewport, locale, signed_in)
    look = Looking(page)
    await page.goto(office.url("/admin/users/new"))
    await page.fill("#username", f"cy-{locale}@rescue.example")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await look.faults() == []
    await page.keyboard.press("Tab")
    await tab_to(page, "input[id=told2]")
    field = "document.activeElement"
    assert await page.evaluate(f"{field}.selectionEnd - {field}.selectionStart") == 22


@SIZES
async def test_sign_in_and_consent_pages_have_no_accessibility_layout_or_console_error(
    office: Administered, browser: Browser, viewport: dict[str, int], locale: str
) -> None:
    page = await window(browser, viewport, locale)
    look, faults = Looking(page), []
    await page.goto(office.url(office.authorization))
    faults += await look.faults()
    await page.fill("#username", BO)
    await page.fill("#password", "not the password")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    faults += await look.faults(refused=True)
    await page.fill("#password", "correct horse battery")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    faults += await look.faults()
    # Refused on the tablet, so that the telephone shows the consent again; allowed there.
    decision = "deny" if viewport == TABLET else "allow"
    async with page.expect_request(lambda request: request.url.startswith(f"{REDIRECT}?")) as redirected:
        await page.click(f"button[value={decision}]")
    assert ("code=" in (await redirected.value).url) == (decision == "allow")
    # That address is not served, and the browser still opens its own page about it.
    page = await page.context.new_page()
    look = Looking(page)
    await page.goto(office.url("/sign-in"))
    faults += await look.faults()
    await page.goto(office.url("/admin"))
    faults += await look.faults(refused=True)
    await page.goto(office.url("/v1/oauth/authorize?client_id=nobody"))
    faults += await look.faults(refused=True)
    assert faults == []


async def test_second_factor_page_has_no_accessibility_layout_or_console_error(
    office: Administered, browser: Browser, signed_in: Any
) -> None:
    page = await window(browser, PHONE, "pl-PL")
    look = Looking(page)
    await office.sign_in(page, ADA)
    assert page.url.startswith(office.url("/sign-in/second-factor"))
    assert await look.faults() == []
    async with page.expect_navigation():
        await page.click("a[href*='recovery=true']")
    assert await look.faults() == []
    await page.fill("#code", "aaaa bbbb cccc dddd")
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
    assert await look.faults(refused=True) == []


async def test_app_can_be_registered_and_its_secret_rotated_with_the_keyboard_only(
    office: Administered, browser: Browser, signed_in: Any
) -> None:
    page = await window(browser, TABLET, "en-GB", signed_in)
    await page.goto(office.url("/admin"))
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.activeElement.getAttribute('href')") == "#main"  # past the navigation
    await follow(page, "nav a[href='/admin/apps']")
    await follow(page, "main a[href='/admin/apps/new']")
    await page.wait_for_function("document.activeElement.id === 'name'")  # the page sets the focus there
    await page.keyboard.type("Keyboard connector")
    await tab_to(page, "input[name='scope:webhooks:write']")
    await page.keyboard.press("Space")
    await follow(page, "form.panel button")
    secret = await page.input_value("#told2")
    await follow(page, "main a.button")
    assert await page.inner_text("h1") == "Keyboard connector"
    await tab_to(page, "details:has(form[action$='/secret']) summary")
    await page.keyboard.press("Enter")
    await tab_to(page, "input[name=grace_hours]")
    await page.keyboard.press("ArrowDown")
    await follow(page, "form[action$='/secret'] button")
    assert await page.input_value("#told1") != secret
    await follow(page, "form[action='/sign-out'] button", backwards=True)
    assert "signed out" in await page.inner_text("h1")


async def tab_to(page: Page, selector: str, *, backwards: bool = False) -> None:
    """Press Tab until the element has the focus; check that the focus is visible at each stop."""
    for _ in range(TABS_MAX):
        await page.keyboard.press("Shift+Tab" if backwards else "Tab")
        reached, outline = await page.evaluate(
            "it => [document.activeElement.matches(it), getComputedStyle(document.activeElement).outlineStyle]",
            selector,
        )
        assert outline != "none", await page.evaluate("document.activeElement.outerHTML")
        if reached:
            return
    raise AssertionError(f"{page.url}: {selector} is not reached by Tab")


async def follow(page: Page, selector: str, *, backwards: bool = False) -> None:
    """Move the focus to a link or button with Tab, press Enter, and wait for the next page."""
    await tab_to(page, selector, backwards=backwards)
    async with page.expect_navigation():
        await page.keyboard.press("Enter")
