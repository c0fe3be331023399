"""Measurements of the crew's page: first useful paint, value on screen, time of a frame, load of the gateway.

The page runs in Debian's Chromium without a graphics processor, on the machine that also runs the server and the
devices: a tablet with one draws faster. `crew_value` measures the time of a value from the APDU, `crew_frames` the
time of the main thread for each frame; a limit applies to its processor time, which other work on the machine changes
least. The gateway's load is that of the whole demo with three tablets, one of which shows the twelve leads. The limits
are those of issue 19.
"""

import asyncio
import math
import statistics
import struct
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import aiohttp
from playwright.async_api import Browser, Page

from gateway.live import LiveFeed
from gateway.transports.clock import SystemClock
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from tests.bench.crew_frames import CATEGORIES, FrameTime, read_frames
from tests.bench.crew_value import values_ms
from tests.bench.frame import Figure, plain_figure
from tests.builders.crew_live import MONITOR, live_device
from tests.builders.crew_vitals import fill_ambulance, monitor_values
from tests.harness.browser import TABLET, chromium
from tests.harness.crew_app import PIN, crew_app
from tests.harness.demo import start_demo
from tests.harness.process_figures import processor_s

PAINT, PAINT_AGAIN, VALUE, FOUR, TWELVE, LOAD = (
    "crew.first_paint",
    "crew.first_paint_with_worker",
    "crew.value_on_screen",
    "crew.frame.four_traces",
    "crew.frame.twelve_traces",
    "crew.gateway_three_tablets",
)
PAGE_NAMES = (PAINT, PAINT_AGAIN, FOUR, f"{FOUR}.elapsed", TWELVE, f"{TWELVE}.elapsed")
LOAD_NAMES = (LOAD,)
VALUE_NAMES = (VALUE,)
PAINTS = 12
PAINT_MS_MAX = 1000.0
VALUE_MS_MAX = 100.0
FOUR_MS_MAX, TWELVE_MS_MAX = 4.0, 12.0
LOAD_PERCENT_MAX = 20.0
FRAMES_S = 15.0
SETTLE_S = 4.0
LOAD_S = 20.0

_WAVES = (
    *((f"MDC_ECG_ELEC_POTL_{lead}", "MDC_DIM_MILLI_VOLT", 0.004) for lead in ("I", "II", "III", "AVR", "AVL", "AVF")),
    *((f"MDC_ECG_ELEC_POTL_V{number}", "MDC_DIM_MILLI_VOLT", 0.004) for number in range(1, 7)),
    ("MDC_PULS_OXIM_PLETH", "MDC_DIM_DIMLESS", 0.008),
    ("MDC_AWAY_CO2", "MDC_DIM_MMHG", 0.02),
    ("MDC_IMPED_TTHOR", "MDC_DIM_X_OHM", 0.02),
)
CHANNELS = tuple(
    Channel(
        handle=100 + at,
        type=code_of(name),
        unit=code_of(unit),
        array=SampleArray(format=SampleFormat.I16, period_s=period_s, slope=0.005, offset=0.0),
    )
    for at, (name, unit, period_s) in enumerate(_WAVES)
)
_FIRST_VALUE = """() => {
  const look = new MutationObserver(() => {
    if (document.querySelector("#values .main")?.textContent) {
      look.disconnect();
      requestAnimationFrame(() => { window.firstValueMs = performance.now(); });
    }
  });
  look.observe(document, { childList: true, subtree: true, characterData: true });
}"""


def measure_page() -> list[Figure]:
    return asyncio.run(_measure_page())


def measure_value() -> list[Figure]:
    milliseconds = asyncio.run(values_ms())
    p99_ms = share_of(milliseconds, 0.99)
    spread = (statistics.median(milliseconds), p99_ms)
    return [plain_figure(VALUE, "ms (p99; spread: p50, p99)", p99_ms, spread, limit=VALUE_MS_MAX)]


def measure_load() -> list[Figure]:
    return asyncio.run(_measure_load())


def _waves(now_s: float, seconds: float) -> list[Observation]:
    """Return `seconds` of every waveform that ends at `now_s`."""
    found = []
    for channel in CHANNELS:
        assert channel.array is not None
        period_s = channel.array.period_s
        count = round(seconds / period_s)
        first = round((now_s - seconds) / period_s)
        beat = round(0.8 / period_s)
        samples = [
            round(200 * math.exp(-(((((first + at) % beat) * period_s - 0.3) / 0.02) ** 2))) for at in range(count)
        ]
        found.append(Observation(channel, None, struct.pack(f">{count}h", *samples), 0, None, now_s))
    return found


def fill_monitor(feed: LiveFeed, clock: SystemClock) -> None:
    """Give a feed the devices of an ambulance, and ten seconds of each waveform of the monitor."""
    now_s = clock.monotonic_s()
    fill_ambulance(feed, now_s)
    feed.observed(live_device(MONITOR, last_s=now_s), _waves(now_s, 10.0), 0)


async def feed_monitor(feed: LiveFeed, clock: SystemClock) -> None:
    """Send waveforms four times a second and numbers once a second, until cancelled."""
    count = 0
    while True:
        now_s = clock.monotonic_s()
        numbers = monitor_values(now_s) if count % 4 == 0 else []
        feed.observed(live_device(MONITOR, last_s=now_s), [*numbers, *_waves(now_s, 0.25)], 0)
        count += 1
        await asyncio.sleep(0.25)


async def _measure_page() -> list[Figure]:
    feed, clock = LiveFeed(), SystemClock()
    fill_monitor(feed, clock)
    async with crew_app(feed, clock=clock) as url, chromium() as browser:
        feeding = asyncio.create_task(feed_monitor(feed, clock))
        try:
            paints = [await _first_value_ms(browser, url) for _ in range(PAINTS)]
            page = await _open(browser, url)
            again = [await _paint_with_worker_ms(page) for _ in range(PAINTS)]
            four = await _measure_frames(page, url, "live", strips=4)
            twelve = await _measure_frames(page, url, "twelve", strips=13)
        finally:
            feeding.cancel()
    return [
        _paint_figure(PAINT, paints),
        _paint_figure(PAINT_AGAIN, again),
        *_frame_figures(FOUR, four, FOUR_MS_MAX),
        *_frame_figures(TWELVE, twelve, TWELVE_MS_MAX),
    ]


def _paint_figure(name: str, milliseconds: list[float]) -> Figure:
    middle = statistics.median(milliseconds)
    unit = "ms (p50; spread: p50, longest)"
    return plain_figure(name, unit, middle, (middle, max(milliseconds)), limit=PAINT_MS_MAX)


def _frame_figures(name: str, frames: Sequence[FrameTime], limit_ms: float) -> list[Figure]:
    return [
        _frame_figure(name, "processor", [each.processor_ms for each in frames], limit_ms),
        _frame_figure(f"{name}.elapsed", "elapsed", [each.elapsed_ms for each in frames], None),
    ]


def _frame_figure(name: str, clock: str, milliseconds: list[float], limit_ms: float | None) -> Figure:
    p50_ms, p95_ms, p99_ms = (share_of(milliseconds, share) for share in (0.5, 0.95, 0.99))
    return plain_figure(name, f"{clock} ms a frame (p95; spread: p50, p99)", p95_ms, (p50_ms, p99_ms), limit=limit_ms)


def share_of(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def _open(browser: Browser, url: str) -> Page:
    """Open the live page in a browser context of its own, as a tablet whose cache is empty."""
    context = await browser.new_context(viewport=TABLET)  # type: ignore[arg-type]  # a TypedDict of its own
    page = await context.new_page()
    await page.add_init_script(f"({_FIRST_VALUE})()")
    await context.request.post(f"{url}/sign-in", form={"pin": PIN}, max_redirects=0)
    await page.goto(url)
    await page.wait_for_function("() => window.firstValueMs")
    return page


async def _first_value_ms(browser: Browser, url: str) -> float:
    page = await _open(browser, url)
    found = float(await page.evaluate("window.firstValueMs"))
    await page.context.close()
    return found


async def _paint_with_worker_ms(page: Page) -> float:
    """Load the page again, through its service worker."""
    await page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    await page.reload()
    await page.wait_for_function("() => window.firstValueMs")
    assert await page.evaluate("navigator.serviceWorker.controller !== null"), "the worker does not control the page"
    return float(await page.evaluate("window.firstValueMs"))


async def _measure_frames(page: Page, url: str, view: str, *, strips: int) -> list[FrameTime]:
    """Return the time of each frame of a view, which draws this number of strips."""
    await page.goto(f"{url}/#{view}")
    await asyncio.sleep(SETTLE_S)
    assert await page.locator(f"[data-view={view}] :is(.strip, .lead):visible").count() == strips
    browser = page.context.browser
    assert browser is not None
    await browser.start_tracing(page=page, categories=list(CATEGORIES))
    await asyncio.sleep(FRAMES_S)
    return read_frames(await browser.stop_tracing())


async def _measure_load() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        demo = await start_demo(Path(folder) / "demo")
        try:
            url, pin = demo.facts["crew_url"].rstrip("/"), demo.facts["crew_pin"]
            await asyncio.sleep(SETTLE_S)
            alone = await _gateway_share(demo.pid("gateway"))
            async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session:
                await session.post(f"{url}/sign-in", data={"pin": pin}, allow_redirects=False)
                tablets = [asyncio.create_task(_read(session, f"{url}/live{query}")) for query in ("", "", "?leads=12")]
                await asyncio.sleep(SETTLE_S)
                with_tablets = await _gateway_share(demo.pid("gateway"))
                assert not any(each.done() for each in tablets), "three tablets are connected"
                for each in tablets:
                    each.cancel()
        finally:
            await demo.stop()
    unit = "% of a core (spread: without and with tablets)"
    return [plain_figure(LOAD, unit, with_tablets, (alone, with_tablets), limit=LOAD_PERCENT_MAX)]


async def _gateway_share(pid: int) -> float:
    began_s, began_at_s = processor_s(pid), time.monotonic()
    await asyncio.sleep(LOAD_S)
    return 100 * (processor_s(pid) - began_s) / (time.monotonic() - began_at_s)


async def _read(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as stream:
        assert stream.status == 200, stream.status
        async for _ in stream.content.iter_any():
            pass
