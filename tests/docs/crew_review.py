"""Pictures of every view of the crew's page for a person who reviews it: three sizes, both orientations, three looks.

They are no part of the documents, and are in no commit. Each view is examined too, and the faults that a program finds
are printed: content wider than the screen, targets that are too small, text that overflows, and violations of WCAG 2.2
AA that axe-core finds. `make docs-shots` takes all of them; `python -m tests.docs.shots review NAME…` takes those of
the named sizes, looks and views only, and ends with 1 where it has found a fault.
"""

import asyncio
import json
import os
import shutil
import signal
from collections.abc import Collection, Iterator
from contextlib import contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, expect

from simulators.demo.app import Demo
from simulators.demo.commands import program, run_command
from tests.docs.crew_views import REPORT, SEALED, SILENT, VIEWS, content
from tests.harness.axe import violations
from tests.harness.browser import chromium

REVIEW = Path(__file__).parents[2] / "build" / "shots" / "crew"
SIZES = {
    "tablet": (1280, 800),
    "tablet-turned": (800, 1280),
    "large": (1920, 1200),
    "large-turned": (1200, 1920),
    "phone": (390, 844),
    "phone-turned": (844, 390),
}
LOOKS = ("day", "night", "contrast")
DRAWN_S = 8.0
"""Seconds until a sweep has passed the whole strip."""
OPENED_MS = 10_000
"""Limit for an element that a view needs and does not have."""
MEMBER = "usr_review"
_SCRIPTS = Path(__file__).parent / "crew_review.js"
_DRAWN = ("live", "twelve", SILENT)
# A bar that stays at an edge covers a part of some target of a scrolled page, which axe-core then finds small.
_UNCOVER = """() => {
  for (const each of document.querySelectorAll("body *"))
    if (getComputedStyle(each).position === "sticky") each.style.position = "static";
}"""
SILENT_S = 12.0
"""Seconds after which continuous values are pale, and the page states that there is no contact."""


async def take_review(demo: Demo, only: Collection[str] = ()) -> int:
    """Take the pictures into `REVIEW`, print what a program finds in each view, and return the number of faults.

    `only`: names of `SIZES`, `LOOKS` and `VIEWS`; all of a kind where none of it is named.
    """
    sizes = [size for size in SIZES if size in only] or list(SIZES)
    looks = [look for look in LOOKS if look in only] or list(LOOKS)
    views = [view for view in VIEWS if view in only] or list(VIEWS)
    if not only:
        shutil.rmtree(REVIEW, ignore_errors=True)
    REVIEW.mkdir(parents=True, exist_ok=True)
    added = await run_command(
        *(program("argus-gateway"), "--config", str(demo.plan.file("gateway.toml")), "crew", "add", MEMBER),
        *("--name", "Anna Maria Wiśniewska-Kowalczyk", "--role", "paramedic", "--json"),
    )
    pin = str(json.loads(added)["pin"])
    count = 0
    async with chromium() as browser:
        for size in sizes:
            faults: dict[str, list[str]] = {}
            page = await _signed_in(browser, demo, SIZES[size], pin, faults)
            await _take_size(page, demo, size, (looks, views), pin, faults)
            await page.context.close()
            for fault, places in sorted(faults.items()):
                print(f"{fault}: {', '.join(places[:6])}{' …' if len(places) > 6 else ''}", flush=True)
            print(f"{size}: {len(looks) * len(views)} pictures, {len(faults)} faults", flush=True)
            count += len(faults)
    return count


async def _take_size(
    page: Page,
    demo: Demo,
    size: str,
    only: tuple[Collection[str], Collection[str]],
    pin: str,
    faults: dict[str, list[str]],
) -> None:
    """Take the pictures of one size. `only`: the looks and the views."""
    looks, views = only
    for look in looks:
        await page.evaluate("look => localStorage.setItem('argus-look', look)", look)
        for view in views:
            path, opening = VIEWS[view]
            name = f"{view}-{size}-{look}"
            address = demo.plan.url("crew") + path.format(encounter=demo.plan.encounter_id)
            try:
                await page.goto("about:blank")  # the views of one page differ in the fragment only
                await opening(page, address)
            except Exception as error:
                faults.setdefault(f"not opened: {str(error)[:120]}", []).append(name)
                await page.context.set_offline(False)
                continue
            await asyncio.sleep(DRAWN_S if view in _DRAWN else 0.5)
            with _frozen(demo) if view == SILENT else nullcontext():
                await asyncio.sleep(SILENT_S if view == SILENT else 0)
                await page.screenshot(path=REVIEW / f"{name}.png")
                await _examine(page, name, faults)
            await page.context.set_offline(False)
            if view in ("locked", "sign-in-wrong"):
                await _sign_in(page.context, demo, pin)


@contextmanager
def _frozen(demo: Demo) -> Iterator[None]:
    """Freeze the gateway's process during the block."""
    pid = next(child.pid for child in demo.children if child.recipe.name == "gateway")
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def _examine(page: Page, name: str, faults: dict[str, list[str]]) -> None:
    found: list[Any] = await page.evaluate(_SCRIPTS.read_text())
    await page.evaluate(_UNCOVER)
    found += [each.partition("Fix any")[0][:220] for each in await violations(page)]
    for each in dict.fromkeys(found):
        faults.setdefault(str(each), []).append(name)


async def _signed_in(
    browser: Browser, demo: Demo, size: tuple[int, int], pin: str, faults: dict[str, list[str]]
) -> Page:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme="dark", reduced_motion="reduce", locale="en"
    )
    await _sign_in(context, demo, pin)
    await _fill_reports(context, demo.plan.url("crew"))
    page = await context.new_page()
    page.set_default_timeout(OPENED_MS)
    page.on("pageerror", lambda error: faults.setdefault(f"page error: {error}", []).append(page.url))
    page.on("console", lambda line: _note_console(line, page, faults))
    await page.goto(demo.plan.url("crew"))
    await expect(page.locator("#link")).to_have_text("Live")
    return page


def _note_console(line: ConsoleMessage, page: Page, faults: dict[str, list[str]]) -> None:
    """Note an error. A request that fails or is refused is not an error of the page."""
    if line.type in ("error", "warning") and not line.text.startswith("Failed to load resource"):
        faults.setdefault(f"console: {line.text[:160]}", []).append(page.url)


async def _sign_in(context: BrowserContext, demo: Demo, pin: str) -> None:
    url, vehicle_pin = demo.plan.url("crew"), demo.plan.file("gateway", "crew.pin").read_text().strip()
    for form in ({"pin": vehicle_pin}, {"member": MEMBER, "pin": pin}):
        await context.request.post(f"{url}/sign-in", form=form, max_redirects=0)


async def _fill_reports(context: BrowserContext, url: str) -> None:
    """Open an unfinished report and a signed one. Each size does it; the gateway stores a change once."""
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    for encounter in (REPORT, SEALED):
        await _post(context, url, "", {"encounter": encounter})
        await _post(context, url, f"/{encounter}/changes", {"changes": content(encounter, now)})
    await _post(context, url, f"/{SEALED}/signature", {})


async def _post(context: BrowserContext, url: str, path: str, body: dict[str, Any]) -> None:
    headers = {"Content-Type": "application/json", "Origin": url}
    await context.request.post(f"{url}/drafts{path}", data=json.dumps(body), headers=headers)
