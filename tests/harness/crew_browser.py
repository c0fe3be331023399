"""A signed-in crew page in Chromium, for which the gateway's clock and the tablet's clock are moved together."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from playwright.async_api import Browser, Error, Locator, Page, expect

from gateway.crew import CrewStatus
from gateway.crew.stream import COLLECT_S
from gateway.live import LiveFeed
from tests.harness.browser import TABLET
from tests.harness.crew_app import ALL_SENT, PIN, crew_app
from tests.harness.moved_clock import MovedClock


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """The live page of a gateway. The clocks of the gateway and of the tablet stand still until `pass_time`."""

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
        """Move the clocks of the gateway and the tablet, one message interval at a time.

        `each_second` is called once a second with the gateway's time, so that a test can add the values that devices
        send.
        """
        for step in range(round(seconds / COLLECT_S)):
            if step % round(1 / COLLECT_S) == 0:
                each_second(self.now_s)
            await self.clock.advance(COLLECT_S)
            await self.page.clock.run_for(round(COLLECT_S * 1000))

    async def sleep_tablet(self, seconds: float) -> None:
        """Move the gateway's clock and the tablet's time of day; the tablet's monotonic clock stands still, as in a
        sleep."""
        await self.clock.advance(seconds)
        await self.set_tablet_forward(seconds)

    async def set_tablet_forward(self, seconds: float) -> None:
        """Set the tablet's time of day forward, and leave its monotonic clock and its timers unchanged."""
        script = "ms => { const set = Date.now.bind(Date); Date.now = () => set() + ms; }"
        await self.page.evaluate(script, round(seconds * 1000))

    async def tiles(self, within: str) -> list[str]:
        """Return the names of the tiles inside the element `within`, in document order."""
        names = await self.page.locator(f"{within} article").evaluate_all("all => all.map(e => e.dataset.tile)")
        return [str(name) for name in names]

    async def top_of(self, selector: str) -> float:
        """Return the distance of an element's upper edge from the top of the window, in CSS pixels."""
        return float(await self.page.locator(selector).evaluate("e => e.getBoundingClientRect().top"))

    async def bottom_of(self, selector: str) -> float:
        """Return the distance of an element's lower edge from the top of the window, in CSS pixels."""
        return float(await self.page.locator(selector).evaluate("e => e.getBoundingClientRect().bottom"))


@asynccontextmanager
async def open_page(
    browser: Browser,
    fill: Callable[[LiveFeed, float], None],
    *,
    viewport: dict[str, int] = TABLET,
    status: CrewStatus | Callable[[], CrewStatus] = ALL_SENT,
) -> AsyncIterator[OpenPage]:
    """Open a signed-in crew page whose feed `fill` has filled; after the block, check that the page raised no error."""
    clock, feed = MovedClock(), LiveFeed()
    fill(feed, clock.monotonic_s())
    async with crew_app(feed, status=status, clock=clock) as url:
        context = await browser.new_context(viewport=viewport, color_scheme="dark")  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.clock.install()
            # Without the keypad, which `test_crew_page` examines: its page costs as much as the live page.
            await context.request.post(f"{url}/sign-in", form={"pin": PIN}, max_redirects=0)
            await page.goto(url)
            await expect(page.locator("#link")).not_to_have_text("Connecting …")
            await stop_time(page)
            yield OpenPage(page=page, feed=feed, clock=clock)
            assert complaints == []
        finally:
            await context.close()


async def stop_time(page: Page) -> None:
    """Stop the tablet's clock at the next possible moment.

    Playwright can stop the clock only at a future time. On a loaded machine that time may have passed before the page
    receives the call: Playwright then raises an error, although the clock has stopped. A second call with a new time
    succeeds, since the clock stands still.
    """
    moment = "(Date.now() + 100) / 1000"
    try:
        await page.clock.pause_at(await page.evaluate(moment))
    except Error:
        await page.clock.pause_at(await page.evaluate(moment))
