"""Measurements of a tap on the crew's pages: from the release of the finger until the frame that shows what it did.

Check 1 of reference epcr §6: p99 below 100 ms with twelve waveforms running. Both pages are open in one browser, each
in a window of its own, since a browser does not draw a page that is covered: the twelve leads run beside the report
while its buttons are touched, and on the page of the live values the taps change between the twelve leads and the
monitor. Chromium has no graphics processor here and shares the machine with the gateway, so a tablet is faster. Each
tap on the report also writes, sends and stores a change.
"""

import asyncio
import statistics
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Locator, Page, expect

from gateway.live import LiveFeed
from gateway.transports.clock import SystemClock
from tests.bench.crew import feed_monitor, fill_monitor, share_of
from tests.bench.frame import Figure, plain_figure
from tests.harness.browser import TABLET, chromium
from tests.harness.crew_app import PARAMEDIC, PIN
from tests.harness.report_tablets import ENCOUNTER, report_vehicle

REPORT, LIVE = "crew.tap.report", "crew.tap.live"
NAMES = (REPORT, LIVE)
TAPS = 200
TAP_MS_MAX = 100.0
TAP_EVERY_S = 0.113
"""No multiple of the time of a frame, so that taps meet it at every phase."""

# The time of a tap is that of the browser's own event. A message that is posted in a frame arrives after it was drawn.
_WATCH = """(attribute) => {
  window.taps = [];
  let tappedAt = null;
  addEventListener("pointerup", (event) => { tappedAt = event.timeStamp; }, true);
  new MutationObserver(() => {
    if (tappedAt === null) return;
    const began = tappedAt;
    tappedAt = null;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => window.taps.push(performance.now() - began);
      port2.postMessage(null);
    });
  }).observe(document.body, { attributes: true, attributeFilter: [attribute], subtree: true });
}"""
_COUNT_FRAMES = """() => {
  window.drawn = 0;
  const count = () => { window.drawn += 1; requestAnimationFrame(count); };
  count();
}"""


def measure_taps() -> list[Figure]:
    return asyncio.run(_measure())


async def _measure() -> list[Figure]:
    feed, clock = LiveFeed(), SystemClock()
    fill_monitor(feed, clock)
    with tempfile.TemporaryDirectory() as folder:
        async with (
            report_vehicle(Path(folder), clock=clock, feed=feed) as vehicle,
            vehicle.tablet() as client,
            chromium() as browser,
        ):
            await client.open_report()
            feeding = asyncio.create_task(feed_monitor(feed, clock))
            try:
                live = await _open(browser, vehicle.url, "/#twelve")
                await expect(live.locator(".leads [data-lead]:visible")).to_have_count(12)
                report = await _open(browser, vehicle.url, f"/reports/{ENCOUNTER}#patient")
                await expect(report.locator("#saved")).to_have_text("Saved")
                answers = report.locator('.page:not([hidden]) .field[data-key="patient.sex"] .answer')
                await live.evaluate(_COUNT_FRAMES)
                report_ms = await _taps_ms(report, [answers.nth(0), answers.nth(1)], "aria-pressed")
                assert await live.evaluate("window.drawn") > TAPS, "the twelve leads are drawn meanwhile"
                links = [live.locator(f'[data-view-link="{view}"]') for view in ("live", "twelve")]
                live_ms = await _taps_ms(live, links, "aria-current")
            finally:
                feeding.cancel()
    return [_figure(REPORT, report_ms), _figure(LIVE, live_ms)]


def _figure(name: str, milliseconds: list[float]) -> Figure:
    p99_ms = share_of(milliseconds, 0.99)
    spread = (statistics.median(milliseconds), p99_ms)
    return plain_figure(name, "ms (p99; spread: p50, p99)", p99_ms, spread, limit=TAP_MS_MAX)


async def _open(browser: Browser, url: str, path: str) -> Page:
    """Open a page on a tablet of the paramedic."""
    context = await browser.new_context(viewport=TABLET, locale="en-GB")  # type: ignore[arg-type]
    for form in ({"pin": PIN}, {"pin": PARAMEDIC.pin, "member": PARAMEDIC.id}):
        await context.request.post(f"{url}/sign-in", form=form, max_redirects=0)
    page = await context.new_page()
    await page.goto(f"{url}{path}")
    return page


async def _taps_ms(page: Page, targets: list[Locator], attribute: str) -> list[float]:
    """Touch the targets by turns; return the milliseconds from each tap to the frame that shows it."""
    await page.evaluate(_WATCH, attribute)
    for number in range(TAPS):
        box = await targets[number % len(targets)].bounding_box()  # a tap may have moved it
        assert box is not None
        await page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        await page.wait_for_function("count => window.taps.length > count", arg=number)
        await asyncio.sleep(TAP_EVERY_S)
    found: list[float] = await page.evaluate("window.taps")
    return found
