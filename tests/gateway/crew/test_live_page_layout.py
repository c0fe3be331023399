"""The live page at the screen sizes that crews use: order, font sizes, colours, the ECG's scale, accessibility."""

import itertools
import math
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from gateway.live import LiveFeed
from tests.builders.crew_live import CUFF, MONITOR, blood_pressure, ecg_samples, live_device, reading
from tests.builders.crew_vitals import fill_ambulance, send_monitor
from tests.harness.browser import PHONE, TABLET
from tests.harness.crew_browser import OpenPage, open_page

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SMALL_TABLET = {"width": 1024, "height": 768}
PHONE_SIDEWAYS = {"width": 844, "height": 390}
SIZES = {"tablet": TABLET, "small tablet": SMALL_TABLET, "phone": PHONE, "phone sideways": PHONE_SIDEWAYS}
every_size = pytest.mark.parametrize("viewport", SIZES.values(), ids=SIZES.keys())
every_shared_size = pytest.mark.parametrize("viewport", SIZES.values(), ids=SIZES.keys(), scope="module")

PRIMARY = ["heart-rate", "spo2", "nibp", "etco2", "respiration", "temperature"]
CSS_PX_PER_MM = 96 / 25.4
LOOKS = ("day", "night", "contrast")

# Per row and per column of the canvas: the number of pixels in the colour of the ECG trace.
TRACE_PIXELS = """(canvas) => {
  const { width, height } = canvas;
  const dots = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const rows = new Array(height).fill(0), columns = new Array(width).fill(0);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
    const at = 4 * (y * width + x);
    const [red, green, blue] = [dots[at], dots[at + 1], dots[at + 2]];
    if (green > 150 && green - red > 60 && green - blue > 40) { rows[y]++; columns[x]++; }
  }
  return { rows, columns };
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def shared(browser: Browser, viewport: dict[str, int]) -> AsyncIterator[OpenPage]:
    """One live page of each size, for tests that do not change it."""
    async with open_page(browser, fill_ambulance, viewport=viewport) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def ambulance(shared: OpenPage) -> OpenPage:
    """The shared live page, scrolled to its top."""
    await shared.page.locator(".numbers").evaluate("e => e.scrollTo(0, 0)")
    return shared


async def choose_look(page: Page, look: str) -> None:
    """Choose a look in the settings, as a crew member does."""
    await page.locator(".settings summary").click()
    await page.locator("#look-choice").select_option(look)
    await page.locator(".settings summary").click()
    await expect(page.locator("html")).to_have_attribute("data-look", look)


async def draw_ecg(opened: OpenPage, millivolts: Sequence[float]) -> dict[str, list[int]]:
    """Send ECG samples in pieces of a quarter of a second and let the page draw them.

    Return the number of pixels of the trace in each pixel row, as `rows`, and in each pixel column, as `columns`.
    """
    pieces = [millivolts[at : at + 63] for at in range(0, len(millivolts), 63)]
    for piece in pieces:
        now_s = opened.now_s
        opened.feed.observed(live_device(MONITOR, last_s=now_s), [ecg_samples(piece, received_s=now_s)], 0)
        await opened.pass_time(0.25)
    found: dict[str, list[int]] = await opened.page.locator("#ecg-strip canvas").evaluate(TRACE_PIXELS)
    return found


def peaks(counts: Sequence[int], least: int) -> list[int]:
    """Return the middle of each group of adjacent pixel rows or columns that have at least `least` pixels each."""
    runs: list[list[int]] = []
    for at, count in enumerate(counts):
        if count < least:
            continue
        if runs and at - runs[-1][-1] <= 2:
            runs[-1].append(at)
        else:
            runs.append([at])
    return [sum(run) // len(run) for run in runs]


@every_shared_size
async def test_ecg_strip_is_beside_or_above_the_values_and_stays_visible_when_scrolling(
    ambulance: OpenPage, viewport: dict[str, int]
) -> None:
    strip = ambulance.page.locator("#ecg-strip canvas")
    if viewport is PHONE:
        assert await ambulance.bottom_of("#ecg-strip") <= await ambulance.top_of("#values")
    else:
        assert await ambulance.top_of("#ecg-strip") == pytest.approx(await ambulance.top_of("#values"), abs=2)
    await ambulance.page.locator("#values").hover()
    await ambulance.page.mouse.wheel(0, 5000)
    await expect(ambulance.page.locator("[data-tile=impedance] .from")).to_be_in_viewport()
    await expect(strip).to_be_in_viewport(ratio=1)


@every_shared_size
async def test_waves_have_64_percent_of_a_wide_screen_and_each_is_at_least_110_pixels_high(
    ambulance: OpenPage, viewport: dict[str, int]
) -> None:
    boxes = await ambulance.page.locator(".strip:visible").evaluate_all(
        "all => all.map(e => [e.clientWidth, e.clientHeight])"
    )
    assert min(height for _, height in boxes) >= 110
    if viewport in (TABLET, SMALL_TABLET):
        assert len(boxes) == 2
        assert boxes[0][0] / viewport["width"] == pytest.approx(0.63, abs=0.03)
    else:
        assert len(boxes) == 1


@every_shared_size
async def test_primary_values_are_ordered_as_on_a_patient_monitor_and_have_a_large_font(
    ambulance: OpenPage, viewport: dict[str, int]
) -> None:
    assert (await ambulance.tiles("#values"))[: len(PRIMARY)] == PRIMARY
    sizes = await ambulance.page.locator("#values .primary").evaluate_all(
        """all => Object.fromEntries(all.map(e =>
          [e.dataset.tile, parseFloat(getComputedStyle(e.querySelector(".main")).fontSize)]))"""
    )
    assert list(sizes) == PRIMARY
    small = viewport in (PHONE, PHONE_SIDEWAYS)
    assert min(sizes.values()) >= (40 if small else 56)
    assert min(sizes["heart-rate"], sizes["spo2"]) >= (40 if small else 72)


@every_size
async def test_elements_of_the_live_page_do_not_overflow_their_width(
    browser: Browser, viewport: dict[str, int]
) -> None:
    too_wide = """() => [...document.querySelectorAll("html, article, article > div, .strip, header")]
      .filter((e) => e.scrollWidth > e.clientWidth + 1).map((e) => e.className)"""

    def fill(feed: LiveFeed, now_s: float) -> None:
        fill_ambulance(feed, now_s)
        invasive = reading("MDC_PRESS_BLD_ART_ABP", 104.0, "MDC_DIM_MMHG", received_s=now_s, handle=50)
        hypertensive = blood_pressure(286.0, 179.0, 215.0, received_s=now_s)
        feed.observed(live_device(CUFF, last_s=now_s), [invasive, hypertensive], 0)

    async with open_page(browser, fill, viewport=viewport) as opened:
        assert await opened.page.evaluate(too_wide) == []


@pytest.mark.parametrize(
    ("viewport", "visible"),
    [(TABLET, PRIMARY), (SMALL_TABLET, PRIMARY), (PHONE, PRIMARY[:3])],
    ids=list(SIZES)[:3],
    scope="module",
)
async def test_most_important_tiles_are_fully_visible_without_scrolling(
    ambulance: OpenPage, viewport: dict[str, int], visible: list[str]
) -> None:
    footer = await ambulance.top_of("footer")
    for name in visible:
        assert await ambulance.bottom_of(f'[data-tile="{name}"]') <= footer, name


@every_size
async def test_live_page_has_no_wcag_violation_in_any_look(browser: Browser, viewport: dict[str, int]) -> None:
    def fill(feed: LiveFeed, now_s: float) -> None:
        fill_ambulance(feed, now_s)
        send_monitor(feed, now_s - 12)

    async def violations_by_look(opened: OpenPage) -> dict[str, list[str]]:
        page, found = opened.page, {}
        # Without motion, since axe-core would examine the colours in the middle of a transition.
        await page.emulate_media(reduced_motion="reduce")
        for look in LOOKS:
            await choose_look(page, look)
            found[look] = await opened.examine()
        return found

    async with open_page(browser, fill, viewport=viewport) as opened:
        await opened.page.locator(".others summary:visible").first.click()
        assert await violations_by_look(opened) == {look: [] for look in LOOKS}
        await opened.page.clock.run_for(8_000)
        await expect(opened.page.locator("article.stale").first).to_be_visible()
        assert await violations_by_look(opened) == {look: [] for look in LOOKS}


async def test_value_and_waveform_have_the_colour_of_their_parameter(browser: Browser) -> None:
    async with open_page(browser, fill_ambulance) as opened:

        async def colour(selector: str) -> str:
            return str(await opened.page.locator(selector).evaluate("e => getComputedStyle(e).color"))

        numbers = {name: await colour(f'[data-tile="{name}"] .main') for name in PRIMARY}
        assert numbers["heart-rate"] == await colour("#ecg-strip canvas") == "rgb(76, 171, 98)"
        assert numbers["spo2"] == await colour("#pleth-strip canvas") == "rgb(67, 156, 179)"
        assert numbers["etco2"] == numbers["respiration"] == "rgb(179, 158, 71)"
        assert numbers["nibp"] == numbers["temperature"] == await colour("body")


async def test_ecg_is_drawn_at_10_millimetres_per_millivolt_and_25_millimetres_per_second(browser: Browser) -> None:
    async with open_page(browser, send_monitor) as opened:
        await expect(opened.page.locator("#ecg-strip .scale")).to_have_text("25 mm/s · 10 mm/mV")
        square = [float(at // 125 % 2) for at in range(8 * 250)]
        found = await draw_ecg(opened, square)
        high, low = peaks(found["rows"], least=100)
        assert low - high == pytest.approx(10 * CSS_PX_PER_MM, abs=1.5)
        edges = peaks(found["columns"], least=30)
        steps = [right - left for left, right in itertools.pairwise(edges)]
        assert sorted(steps)[len(steps) // 2] == pytest.approx(12.5 * CSS_PX_PER_MM, abs=1.5)


async def test_ecg_noise_of_a_tenth_of_a_millivolt_is_drawn_at_most_two_millimetres_high(browser: Browser) -> None:
    async with open_page(browser, lambda feed, now_s: None) as opened:
        noise = [0.05 * math.sin(at * 0.7) + 1.2 for at in range(6 * 250)]
        found = await draw_ecg(opened, noise)
        drawn = [at for at, count in enumerate(found["rows"]) if count]
        assert drawn[-1] - drawn[0] <= 2 * CSS_PX_PER_MM


async def test_calibration_mark_of_one_millivolt_is_10_millimetres_high_and_5_millimetres_wide(
    browser: Browser,
) -> None:
    mark = """(canvas) => {
      const right = 12 * 96 / 25.4, dots = canvas.getContext("2d").getImageData(0, 0, right, canvas.height).data;
      const width = Math.floor(right), rows = new Array(canvas.height).fill(0), columns = new Array(width).fill(0);
      for (let y = 0; y < canvas.height; y++) for (let x = 0; x < width; x++) {
        if (dots[4 * (y * width + x)] > 120) { rows[y]++; columns[x]++; }
      }
      return { rows, columns };
    }"""
    async with open_page(browser, send_monitor) as opened:
        await opened.pass_time(0.5)
        found = await opened.page.locator("#ecg-strip canvas").evaluate(mark)
        sides = peaks(found["columns"], least=30)
        assert len(sides) == 2
        assert sides[1] - sides[0] == pytest.approx(5 * CSS_PX_PER_MM, abs=1.5)
        top = next(at for at, count in enumerate(found["rows"]) if count > 10)
        foot = max(at for at, count in enumerate(found["rows"][: top + 42]) if count > 4)
        assert foot - top == pytest.approx(10 * CSS_PX_PER_MM, abs=2)


async def test_waveform_without_a_unit_is_labelled_as_not_to_scale_and_stays_below_its_words(browser: Browser) -> None:
    traced = """(canvas) => {
      const dots = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data, rows = [];
      for (let at = 0; at < dots.length; at += 4) if (dots[at + 2] > 150) rows.push(Math.floor(at / 4 / canvas.width));
      return rows;
    }"""
    async with open_page(browser, send_monitor) as opened:
        await opened.pass_time(2.0)
        strip = opened.page.locator("#pleth-strip")
        rows = await strip.locator("canvas").evaluate(traced)
        words = await strip.locator(".scale").evaluate("each => each.offsetTop + each.offsetHeight")
        assert rows, "the trace is drawn"
        assert min(rows) >= words - 1
        await expect(opened.page.locator("#pleth-strip .scale")).to_have_text("25 mm/s · height not to scale")
