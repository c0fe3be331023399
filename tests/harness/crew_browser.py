"""A signed-in crew page in Chromium, with the gateway's clock and the tablet's clock moved together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser, Error, Locator, Page, expect

from gateway.crew import CrewStatus
from gateway.crew.stream import COLLECT_S
from gateway.live import LiveFeed
from tests.harness.browser import TABLET
from tests.harness.crew_app import ALL_SENT, crew_app, enter_pin
from tests.harness.moved_clock import MovedClock


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """The live page of a gateway whose time stands still until `pass_time`."""

    page: Page
    feed: LiveFeed
    clock: MovedClock

    @property
    def now_s(self) -> float:
        return self.clock.monotonic_s()

    @property
    def link(self) -> Locator:
        return self.page.locator("#link")

    @property
    def network(self) -> Locator:
        return self.page.locator("#cloud")

    def tile(self, name: str) -> Locator:
        return self.page.locator(f'article[data-tile="{name}"]')

    async def pass_time(self, seconds: float, *, each_second: Callable[[float], None] = lambda now_s: None) -> None:
        """Move the gateway and the tablet in steps of one message. `each_second` feeds what devices send meanwhile."""
        for step in range(round(seconds / COLLECT_S)):
            if step % round(1 / COLLECT_S) == 0:
                each_second(self.now_s)
            await self.clock.advance(COLLECT_S)
            await self.page.clock.run_for(round(COLLECT_S * 1000))

    async def sleep_tablet(self, seconds: float) -> None:
        """Move the gateway's time and the tablet's time of day; its monotonic clock stands still, as in a sleep."""
        await self.clock.advance(seconds)
        await self.set_tablet_forward(seconds)

    async def set_tablet_forward(self, seconds: float) -> None:
        """Set the tablet's time of day forward; its monotonic clock and its timers are unaffected."""
        script = "ms => { const set = Date.now.bind(Date); Date.now = () => set() + ms; }"
        await self.page.evaluate(script, round(seconds * 1000))

    async def tiles(self, within: str) -> list[str]:
        """Return the names of the tiles in document order."""
        names = await self.page.locator(f"{within} article").evaluate_all("all => all.map(e => e.dataset.tile)")
        return [str(name) for name in names]

    async def top_of(self, selector: str) -> float:
        """Return the distance from the top of the window, in CSS pixels."""
        return float(await self.page.locator(selector).evaluate("e => e.getBoundingClientRect().top"))

    async def bottom_of(self, selector: str) -> float:
        """Return the distance of the lower edge from the top of the window, in CSS pixels."""
        return float(await self.page.locator(selector).evaluate("e => e.getBoundingClientRect().bottom"))


@asynccontextmanager
async def open_page(
    browser: Browser,
    fill: Callable[[LiveFeed, float], None],
    *,
    viewport: dict[str, int] = TABLET,
    status: CrewStatus | Callable[[], CrewStatus] = ALL_SENT,
    color_scheme: str = "dark",
) -> AsyncIterator[OpenPage]:
    """Open the page of a gateway whose feed `fill` has filled; check that the console stays empty."""
    clock, feed = MovedClock(), LiveFeed()
    fill(feed, clock.monotonic_s())
    async with crew_app(feed, status=status, clock=clock) as url:
        context = await browser.new_context(viewport=viewport, color_scheme=color_scheme)  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.clock.install()
            await enter_pin(page, url)
            await expect(page.locator("#link")).not_to_have_text("Connecting …")
            await _stop_time(page)
            yield OpenPage(page=page, feed=feed, clock=clock)
            assert complaints == []
        finally:
            await context.close()


async def _stop_time(page: Page) -> None:
    """Stop the tablet's clock. It can only be stopped at a moment to come, which on a loaded machine has passed by the
    time that the page is told; the clock has then stopped all the same, and the next moment is certain to come."""
    moment = "(Date.now() + 100) / 1000"
    try:
        await page.clock.pause_at(await page.evaluate(moment))
    except Error:
        await page.clock.pause_at(await page.evaluate(moment))
