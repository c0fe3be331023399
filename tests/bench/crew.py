"""Measurements of the crew's page: first useful paint, value on screen, time of a frame, load of the gateway.

The page runs in Debian's Chromium without a graphics processor, on the machine that also runs the server and the
devices: a tablet with one draws faster. A value's way begins when the live feed gets it, which is when the buffer holds
it, and ends in the frame after the page has written it. Frames are those of all traces together; their spread is the
mean of the traces and of everything that the main thread does. The gateway's load is that of the whole demo with three
tablets, one of which shows the twelve leads.
"""

import asyncio
import math
import statistics
import struct
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, Page

from gateway.live import LiveFeed
from gateway.transports.clock import SystemClock
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from tests.bench.frame import Figure, plain_figure
from tests.builders.crew_live import MONITOR, OXIMETER, live_device, spo2
from tests.builders.crew_vitals import fill_ambulance, monitor_values
from tests.harness.browser import TABLET, chromium
from tests.harness.crew_app import PIN, crew_app
from tests.harness.demo import start_demo
from tests.harness.process_figures import processor_s

PAINT, VALUE, FOUR, TWELVE, LOAD = (
    "crew.first_paint",
    "crew.value_on_screen",
    "crew.frame.four_traces",
    "crew.frame.twelve_traces",
    "crew.gateway_three_tablets",
)
PAGE_NAMES = (PAINT, VALUE, FOUR, TWELVE)
LOAD_NAMES = (LOAD,)
PAINTS = 12
VALUES = 200
VALUE_EVERY_S = 0.113
"""No multiple of the gateway's interval of messages, so that values meet it at every phase."""
FRAMES_S = 12.0
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
_WATCH_VALUE = """() => {
  const shown = document.querySelector('[data-tile="spo2"] .main');
  window.seen = [];
  new MutationObserver(() => {
    const text = shown.textContent;
    requestAnimationFrame(() => window.seen.push([text, Date.now()]));
  }).observe(shown, { childList: true, characterData: true, subtree: true });
}"""


def measure_page() -> list[Figure]:
    return asyncio.run(_measure_page())


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


async def _feed(feed: LiveFeed, clock: SystemClock) -> None:
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
    now_s = clock.monotonic_s()
    fill_ambulance(feed, now_s)
    feed.observed(live_device(MONITOR, last_s=now_s), _waves(now_s, 10.0), 0)
    async with crew_app(feed, clock=clock) as url, chromium() as browser:
        feeding = asyncio.create_task(_feed(feed, clock))
        try:
            paints = [await _first_value_ms(browser, url) for _ in range(PAINTS)]
            page = await _open(browser, url)
            values = await _value_ms(page, feed, clock)
            four = await _frames_ms(page, url, "live")
            twelve = await _frames_ms(page, url, "twelve")
        finally:
            feeding.cancel()
    return [
        plain_figure(
            PAINT, "ms (p50; spread: p50, longest)", statistics.median(paints), (statistics.median(paints), max(paints))
        ),
        plain_figure(
            VALUE, "ms (p99; spread: p50, p99)", _share(values, 0.99), (statistics.median(values), _share(values, 0.99))
        ),
        *(
            plain_figure(name, "ms a frame (p95; spread: mean, mean of the main thread)", p95_ms, means_ms)
            for name, (p95_ms, means_ms) in ((FOUR, four), (TWELVE, twelve))
        ),
    ]


def _share(values: list[float], share: float) -> float:
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


async def _value_ms(page: Page, feed: LiveFeed, clock: SystemClock) -> list[float]:
    """Return the milliseconds from the live feed to the screen, of values that all differ."""
    await page.evaluate(_WATCH_VALUE)
    sent_ms = {}
    for number in range(VALUES):
        value = 1000 + number
        sent_ms[str(value)] = time.time() * 1000
        now_s = clock.monotonic_s()
        feed.observed(live_device(OXIMETER, last_s=now_s), [spo2(float(value), received_s=now_s)], 0)
        feed.observed(live_device(MONITOR, last_s=now_s), [_monitor_spo2(value, now_s)], 0)
        await asyncio.sleep(VALUE_EVERY_S)
    await asyncio.sleep(1.0)
    seen: list[Any] = await page.evaluate("window.seen")
    return [at_ms - sent_ms[text] for text, at_ms in dict(reversed(seen)).items() if text in sent_ms]


def _monitor_spo2(value: int, now_s: float) -> Observation:
    shown = next(each for each in monitor_values(now_s) if each.channel.handle == 9)
    return Observation(shown.channel, float(value), None, 0, None, now_s)


async def _frames_ms(page: Page, url: str, view: str) -> tuple[float, tuple[float, float]]:
    """Return p95 of the time that drawing takes in a frame, its mean, and the mean main-thread time of a frame."""
    await page.goto(f"{url}/#{view}")
    await asyncio.sleep(SETTLE_S)
    await page.evaluate("async () => { (await import('/static/sweep.js')).cost.kept = 100000; }")
    session = await page.context.new_cdp_session(page)
    await session.send("Performance.enable")
    before = await _task_s(session)
    await asyncio.sleep(FRAMES_S)
    busy_s = await _task_s(session) - before
    frames: list[float] = await page.evaluate("async () => (await import('/static/sweep.js')).cost.frameMs.splice(0)")
    return _share(frames, 0.95), (statistics.fmean(frames), busy_s * 1000 / len(frames))


async def _task_s(session: Any) -> float:
    metrics = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in metrics if each["name"] == "TaskDuration"))


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
    return [plain_figure(LOAD, "% of a core (spread: without and with tablets)", with_tablets, (alone, with_tablets))]


async def _gateway_share(pid: int) -> float:
    began_s, began_at_s = processor_s(pid), time.monotonic()
    await asyncio.sleep(LOAD_S)
    return 100 * (processor_s(pid) - began_s) / (time.monotonic() - began_at_s)


async def _read(session: aiohttp.ClientSession, url: str) -> None:
    async with session.get(url, timeout=aiohttp.ClientTimeout(total=None)) as stream:
        assert stream.status == 200, stream.status
        async for _ in stream.content.iter_any():
            pass
