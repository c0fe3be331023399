"""Screenshots of the sign-in, consent and administration pages, from a real cloud with typical problems."""

import tempfile
from pathlib import Path

from playwright.async_api import Browser

from tests.harness.administered_cloud import ADA, BO, Administered, administered_cloud, window
from tests.harness.browser import PHONE, TABLET, chromium


async def take_administration(to: Path) -> None:
    """Write the screenshots `admin-*.png` and `consent-*.png` into a folder."""
    with tempfile.TemporaryDirectory(prefix="argus-office-") as folder:
        async with administered_cloud(Path(folder)) as office, chromium() as browser:
            await _take_consent(office, browser, to)
            await _take_pages(office, browser, to)


async def _take_consent(office: Administered, browser: Browser, to: Path) -> None:
    page = await window(browser, PHONE, "en-GB")
    await office.sign_in(page, BO, at=office.authorization)
    await page.screenshot(path=to / "consent-phone.png")


async def _take_pages(office: Administered, browser: Browser, to: Path) -> None:
    page = await window(browser, TABLET, "en-GB")
    await office.sign_in(page, ADA, at="/sign-in?next=/admin")
    await office.set_up(page)
    state = await page.context.storage_state()
    for name in ("home", "app", "webhook"):
        await page.goto(office.url(office.addresses[name]))
        # Scroll down to the deliveries.
        if name == "webhook":
            await page.evaluate("document.querySelector('section:has(> .heading)').scrollIntoView()")
            await page.click("li.panel:has(.warn) summary")
        await page.screenshot(path=to / f"admin-{name}-tablet.png")
    phone = await window(browser, PHONE, "en-GB", state)
    await phone.goto(office.url(office.addresses["apps"]))
    await phone.screenshot(path=to / "admin-apps-phone.png")
