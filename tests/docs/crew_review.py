"""Pictures of every view of the crew's page for a person who reviews it: three sizes, both orientations, three looks.

They are no part of the documents, and are in no commit. Each view is examined too, and the faults that a program finds
are printed: content wider than the screen, targets that are too small, text that overflows, and violations of WCAG.
`make docs-shots` takes them; `python -m tests.docs.shots review` takes nothing else.
"""

import asyncio
import json
import os
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, expect

from simulators.demo.app import Demo
from simulators.demo.commands import program, run_command
from tests.harness.axe import violations
from tests.harness.browser import chromium

REVIEW = Path(__file__).parents[2] / "build" / "shots" / "crew"
SIZES = {"tablet": (1280, 800), "large": (1920, 1200), "phone": (390, 844)}
LOOKS = ("day", "night", "contrast")
DRAWN_S = 8.0
"""Seconds until a sweep has passed the whole strip."""
MEMBER = "usr_review"
REPORT = "enc_review"
_SCRIPTS = Path(__file__).parent / "crew_review.js"

Opening = Callable[[Page, str], Awaitable[None]]


async def _at(page: Page, url: str) -> None:
    await page.goto(url)
    await page.wait_for_load_state()


async def _snapshot(page: Page, url: str) -> None:
    await _at(page, url)
    await asyncio.sleep(2.0)
    await page.locator("[data-take]").click()


async def _settings(page: Page, url: str) -> None:
    await _at(page, url)
    await page.locator("details.settings > summary").click()


async def _code(page: Page, url: str) -> None:
    await _at(page, url)
    await page.get_by_role("button", name="code").first.click()


async def _share(page: Page, url: str) -> None:
    await _at(page, url)
    again = page.get_by_role("link", name="Show the share link")
    await (again if await again.count() else page.get_by_role("button", name="Share over the cloud")).click()


VIEWS: dict[str, tuple[str, Opening]] = {
    "live": ("/#live", _at),
    "twelve": ("/#twelve", _at),
    "snapshot": ("/#twelve", _snapshot),
    "trends": ("/#trends", _at),
    "devices": ("/#devices", _at),
    "settings": ("/#live", _settings),
    "sign-in": ("/sign-in", _at),
    "reports": ("/reports", _at),
    "report": (f"/reports/{REPORT}", _at),
    "handovers": ("/handover", _at),
    "handover": ("/handover/{encounter}", _at),
    "code": ("/handover/{encounter}", _code),
    "share": ("/handover/{encounter}", _share),
}
_DRAWN = ("live", "twelve")


async def take_review(demo: Demo) -> None:
    """Take the pictures into `REVIEW`, and print what a program finds in each view."""
    shutil.rmtree(REVIEW, ignore_errors=True)
    REVIEW.mkdir(parents=True)
    added = await run_command(
        *(program("argus-gateway"), "--config", str(demo.plan.file("gateway.toml")), "crew", "add", MEMBER),
        *("--name", "Anna Maria Wiśniewska-Kowalczyk", "--role", "paramedic", "--json"),
    )
    pin = str(json.loads(added)["pin"])
    only = os.environ.get("ARGUS_REVIEW", "").split()
    faults: dict[str, list[str]] = {}
    async with chromium() as browser:
        for size, (width, height) in SIZES.items():
            for way, box in (("", (width, height)), ("-turned", (height, width))):
                if only and f"{size}{way}" not in only:
                    continue
                page = await _signed_in(browser, demo, box, pin)
                await _take_size(page, demo, f"{size}{way}", faults)
                await page.context.close()
    for fault, places in sorted(faults.items()):
        print(f"{fault}: {', '.join(places[:6])}{' …' if len(places) > 6 else ''}")


async def _take_size(page: Page, demo: Demo, size: str, faults: dict[str, list[str]]) -> None:
    for look in LOOKS:
        await page.evaluate("look => localStorage.setItem('argus-look', look)", look)
        for view, (path, opening) in VIEWS.items():
            address = demo.plan.url("crew") + path.format(encounter=demo.plan.encounter_id)
            try:
                await opening(page, address)
                if "#" in path:
                    await page.reload()
                    if opening is not _at:
                        await opening(page, address)
            except Exception as error:
                faults.setdefault(f"not opened: {str(error)[:120]}", []).append(f"{view}-{size}-{look}")
                continue
            await asyncio.sleep(DRAWN_S if view in _DRAWN else 0.7)
            await page.screenshot(path=REVIEW / f"{view}-{size}-{look}.png")
            await _examine(page, f"{view}-{size}-{look}", faults)


async def _examine(page: Page, name: str, faults: dict[str, list[str]]) -> None:
    found: list[Any] = await page.evaluate(_SCRIPTS.read_text())
    found += [each.partition("Fix any")[0][:220] for each in await violations(page)]
    for each in dict.fromkeys(found):
        faults.setdefault(str(each), []).append(name)


async def _signed_in(browser: Browser, demo: Demo, size: tuple[int, int], pin: str) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark", reduced_motion="reduce", locale="en"
    )
    url = demo.plan.url("crew")
    vehicle_pin = demo.plan.file("gateway", "crew.pin").read_text().strip()
    await context.request.post(f"{url}/sign-in", form={"pin": vehicle_pin})
    await context.request.post(f"{url}/sign-in", form={"member": MEMBER, "pin": pin})
    await context.request.post(
        f"{url}/drafts",
        data=json.dumps({"encounter": REPORT}),
        headers={"Content-Type": "application/json", "Origin": url},
    )
    page = await context.new_page()
    await page.goto(url)
    await expect(page.locator("#link")).to_have_text("Live")
    return page
