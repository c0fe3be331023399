"""A person who uses a keyboard, or a switch that acts as one, reaches every control and sees where the focus is."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from tests.gateway.crew.test_report_stories import open_on_tablet, wait_for_section
from tests.harness.browser import stop_clock
from tests.harness.report_tablets import ENCOUNTER

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.browser]

DATE_STOPS = 6
"""Further stops of a page: each part of a date is one."""
CONTROLS = """() => {
  const selector = "a[href], button, input, select, textarea, summary, [tabindex='0']";
  window.controls = [...document.querySelectorAll(selector)]
    .filter((each) => !each.disabled && each.checkVisibility({ visibilityProperty: true }));
  return controls.map((each) => each.textContent || each.outerHTML);
}"""
FOCUSED = """() => {
  const { parentElement } = document.activeElement;
  const shows = ({ outlineWidth, outlineStyle }) => parseFloat(outlineWidth) >= 2 && outlineStyle !== "none";
  const shown = [document.activeElement, parentElement].some((each) => shows(getComputedStyle(each)));
  return [controls.indexOf(document.activeElement), shown];
}"""


async def unreached(page: Page) -> tuple[list[str], list[str]]:
    """Press the tabulator key through the page; return the controls that were not reached, and those whose focus is
    not shown."""
    names = await page.evaluate(CONTROLS)
    reached: dict[int, bool] = {}  # by the place among the controls; -1: another element
    for _ in range(len(names) + DATE_STOPS):
        await page.keyboard.press("Tab")
        control, is_shown = await page.evaluate(FOCUSED)
        reached[control] = reached.get(control, False) or is_shown  # of a date, one part shows it
    missing = [name for at, name in enumerate(names) if at not in reached]
    return missing, [names[at] for at, is_shown in reached.items() if at >= 0 and not is_shown]


async def test_every_control_is_reached_by_the_keyboard_and_its_focus_is_shown(browser: Browser, tmp_path: Path):
    async with open_on_tablet(browser, tmp_path, "patient") as (client, page):
        for section in ("patient", "medications", "arrest", "sign"):
            await page.goto(f"{client.url}/reports/{ENCOUNTER}#{section}")
            await wait_for_section(page, section)
            assert await unreached(page) == ([], []), section
        context = page.context
        await page.close()
        page = await context.new_page()
        await page.clock.install()
        await stop_clock(page)  # a list that is read again may replace what has the focus
        for path in ("/", "/#devices", "/reports"):
            await page.goto(f"{client.url}{path}")
            if path == "/reports":  # its script replaces the button and adds the report when it has the texts
                await expect(page.locator("#drafts li")).to_have_count(1)
            else:
                await expect(page.locator("#link")).not_to_have_text("Connecting …")
            assert await unreached(page) == ([], []), path
