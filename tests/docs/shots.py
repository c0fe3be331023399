"""`make docs-shots`: take the pictures in `docs/shots` from a running demo.

This is not a test: it overwrites pictures that people review. The demo runs in this process, so that the terminal view
can be drawn into a picture, and in a temporary folder, so that no picture shows a path of the machine. View and pages
are real: simulated devices, real gateway and cloud.
"""

import asyncio
import io
import os
import re
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from PIL import Image
from playwright.async_api import Browser, Page, expect
from rich.console import Console

import cloud.slices  # noqa: F401  declares the slices, which the imports below need
from simulators.demo.app import Demo, Wishes
from simulators.demo.configuration import Choices
from simulators.demo.gateway_status import query_gateway
from simulators.demo.plan import load_or_mint
from simulators.demo.view import DRAW_EVERY_S, View
from tests.docs.administration_shots import take_administration
from tests.docs.crew_review import LOOKS, SIZES, take_review
from tests.docs.crew_views import VIEWS
from tests.harness.browser import PHONE, TABLET, chromium

SHOTS = Path(__file__).parents[2] / "docs" / "shots"
SHOT_BYTES_MAX = 180_000
"""Limit for a README that loads quickly on a phone. The page with dashed tiles and a waveform is the largest."""
VIEW_COLUMNS = 110
WATCH_S = 26.0
"""Seconds until a sparkline, a cuff's first value and a full sweep of the waveform are shown."""
NOTICED_S = 60.0
"""Seconds until the gateway notices a silent broker: one and a half keep-alives."""
STALE_S = 34.0
SCENARIO = "deteriorating"


@asynccontextmanager
async def running_demo(state: Path) -> AsyncIterator[Demo]:
    """Run the demo in this process until the block ends; yield it once all of its parts are ready."""
    state.mkdir(mode=0o700)
    plan = load_or_mint(state, seed=42, ports_given={})
    demo = Demo(
        plan, Wishes(choices=Choices(), scenario=SCENARIO), lambda step: print(f"demo: {step}", file=sys.stderr)
    )
    ready = asyncio.Event()
    running = asyncio.ensure_future(demo.run(lambda _: ready.set()))
    waiting = asyncio.ensure_future(ready.wait())
    await asyncio.wait([running, waiting], return_when=asyncio.FIRST_COMPLETED)
    try:
        if running.done():
            running.result()
        yield demo
    finally:
        waiting.cancel()
        demo.stop()
        await running


async def take_view(demo: Demo, to: Path) -> None:
    """Record the demo's status for 26 s, as the terminal view does, and write the view as an SVG picture with
    selectable text."""
    paper = Console(record=True, width=VIEW_COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor")
    view = View(demo, paper)
    status = None
    for _ in range(round(WATCH_S / DRAW_EVERY_S)):
        status = await query_gateway(demo.control_socket, "status")
        view.note(status)
        await asyncio.sleep(DRAW_EVERY_S)
    paper.print(view.draw(status))
    # Rich adds a link to a font on another server; a picture in our documents must not send requests.
    to.write_text(re.sub(r"@font-face \{.*?\}", "", paper.export_svg(title="make demo"), flags=re.DOTALL))


async def signed_in(browser: Browser, demo: Demo, viewport: dict[str, int]) -> Page:
    page = await browser.new_page(viewport=viewport, color_scheme="dark")  # type: ignore[arg-type]  # a ViewportSize is such a dict
    await page.goto(demo.plan.url("crew"))
    await page.fill("#pin", demo.plan.file("gateway", "crew.pin").read_text().strip())
    await page.press("#pin", "Enter")
    await expect(page.locator("#link")).to_have_text("Live")
    return page


async def take_pages(demo: Demo) -> None:
    """Take the crew's sign-in page on a phone, and the live page on a tablet and on a phone after a full sweep of the
    waveform."""
    async with chromium() as browser:
        entry = await browser.new_page(viewport=PHONE, color_scheme="dark")  # type: ignore[arg-type]  # as above
        await entry.goto(demo.plan.url("crew"))
        await entry.screenshot(path=SHOTS / "crew-sign-in.png")
        pages = {
            "crew-tablet.png": await signed_in(browser, demo, TABLET),
            "crew-phone.png": await signed_in(browser, demo, PHONE),
        }
        await asyncio.sleep(WATCH_S)
        for name, page in pages.items():
            await page.screenshot(path=SHOTS / name)
        await pages["crew-tablet.png"].goto(f"{demo.plan.url('crew')}/#trends")
        await asyncio.sleep(1)
        await pages["crew-tablet.png"].screenshot(path=SHOTS / "crew-trends.png")
        await pages["crew-tablet.png"].goto(f"{demo.plan.url('crew')}/#live")
        await take_silence(demo, pages["crew-tablet.png"])


async def take_silence(demo: Demo, page: Page) -> None:
    """Take the crew page while the network is down and the devices send nothing.

    For this, the broker's and the devices' processes are frozen, which looks like a lost radio network and a pulled
    cable.
    """
    pids = {child.recipe.name: child.pid for child in demo.children}
    os.kill(pids["broker"], signal.SIGSTOP)
    try:
        await expect(page.locator("#cloud")).to_contain_text("No network", timeout=NOTICED_S * 1000)
        os.kill(pids["devices"], signal.SIGSTOP)
        await asyncio.sleep(STALE_S)
        await page.screenshot(path=SHOTS / "crew-old.png")
    finally:
        for name in ("broker", "devices"):
            os.kill(pids[name], signal.SIGCONT)


def reduce_colours(shot: Path) -> None:
    """Write a picture of the crew's page with at most 128 colours; its traces and tiles have fewer."""
    with Image.open(shot) as picture:
        picture.convert("RGB").quantize(colors=128).save(shot, optimize=True)


async def take_all() -> None:
    """Take every picture; raise `AssertionError` if one is too large for a README."""
    SHOTS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="argus-shots-") as folder:
        os.chdir(folder)
        async with running_demo(Path("demo-state")) as demo:
            await take_review(demo)
            await asyncio.gather(take_view(demo, SHOTS / "demo.svg"), take_pages(demo))
        await take_administration(SHOTS)
        os.chdir(SHOTS)
    for shot in SHOTS.glob("crew-*.png"):
        reduce_colours(shot)
    for shot in sorted(SHOTS.iterdir()):
        size = shot.stat().st_size
        print(f"{shot.name:<20} {size:>8} bytes")
        assert size <= SHOT_BYTES_MAX, f"{shot.name} is heavier than {SHOT_BYTES_MAX} bytes"


async def take_review_only(only: Sequence[str]) -> int:
    """Take only the pictures for the review of the crew's page, of these sizes, looks and views; return
    the number of faults."""
    unknown = set(only) - SIZES.keys() - set(LOOKS) - VIEWS.keys()
    if unknown:
        sys.exit(
            f"There is no size, look or view {', '.join(sorted(unknown))}. Names: {', '.join([*SIZES, *LOOKS, *VIEWS])}"
        )
    with tempfile.TemporaryDirectory(prefix="argus-shots-") as folder:
        os.chdir(folder)
        async with running_demo(Path("demo-state")) as demo:
            return await take_review(demo, only)


if __name__ == "__main__":
    if sys.argv[1:2] == ["review"]:
        sys.exit(1 if asyncio.run(take_review_only(sys.argv[2:])) else 0)
    asyncio.run(take_all())
