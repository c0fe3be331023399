"""A signed-in crew page in Chromium, for which the gateway's clock and the tablet's clock are moved together."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from playwright.async_api import Browser, Locator, Page, expect

from gateway.crew import CrewStatus
from gateway.crew.stream import COLLECT_S
from gateway.live import LiveFeed
from tests.harness.axe import violations
from tests.harness.browser import TABLET
from tests.harness.crew_app import ALL_SENT, PIN, SentEvents, crew_app
from tests.harness.moved_clock import MovedClock

TABLET_STARTS_AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
"""The tablet's time of day when the page is opened; its clock stands still from here on."""
HANDLED_WITHIN_S = 60.0
"""Limit for a page that does not handle a message at all; a loaded machine needs a second."""

# Counts the events of the newest live stream. The listeners are called before those of the page, but in the same task
# of the browser: a script that runs later finds the page as the event has left it. A stream that has failed receives
# nothing until it is open again: its number is -1. `eventsHandled(seen)` returns the number and how often it has
# changed, and waits for a change if the caller has seen as many. The gateway's number is not passed: a new stream may
# begin, and its events may be handled, before the script runs.
_COUNT_EVENTS = """() => {
  const Original = window.EventSource;
  let newest = null, handled = 0, changes = 0, waiting = [];
  const set = (number) => {
    handled = number;
    changes += 1;
    for (const done of waiting.splice(0)) done([handled, changes]);
  };
  window.EventSource = class extends Original {
    constructor(...given) {
      super(...given);
      newest = this;
      set(0);
      const on = (name, number) => this.addEventListener(name, () => { if (this === newest) set(number()); });
      for (const name of ["picture", "changes", "status"]) on(name, () => handled + 1);
      on("open", () => 0);
      on("error", () => -1);
    }
  };
  window.eventsHandled = (seen) => new Promise((done) => {
    if (changes !== seen) done([handled, changes]); else waiting.push(done);
  });
}"""
_FAILED = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPage:
    """The live page of a gateway. The clocks of the gateway and of the tablet stand still until `pass_time`."""

    page: Page
    feed: LiveFeed
    clock: MovedClock
    sent: SentEvents

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

        The page handles the message of an interval before the tablet's clock moves, however long the machine takes for
        it. `each_second` is called once a second with the gateway's time, so that a test can add the values that
        devices send.
        """
        for step in range(round(seconds / COLLECT_S)):
            if step % round(1 / COLLECT_S) == 0:
                each_second(self.now_s)
            sent = self.sent.count
            await self.clock.advance(COLLECT_S)
            if self.sent.count != sent:
                await self.handle_events()
            await self.page.clock.run_for(round(COLLECT_S * 1000))

    async def handle_events(self) -> None:
        """Wait until the page has handled every event that the gateway has sent on the newest live stream."""
        async with asyncio.timeout(HANDLED_WITHIN_S):
            handled, seen = None, -1
            while handled not in (self.sent.count, _FAILED):
                handled, seen = await self.page.evaluate("seen => window.eventsHandled(seen)", seen)

    async def examine(self) -> list[str]:
        """Return the accessibility violations of the page as it is now."""
        examination = asyncio.create_task(violations(self.page))
        while not examination.done():
            await self.page.clock.run_for(1)  # axe-core uses timers
        return await examination

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
    clock, feed, sent = MovedClock(), LiveFeed(), SentEvents()
    fill(feed, clock.monotonic_s())
    async with crew_app(feed, status=status, clock=clock, sent=sent) as url:
        context = await browser.new_context(viewport=viewport, color_scheme="dark")  # type: ignore[arg-type]
        try:
            page = await context.new_page()
            complaints: list[str] = []
            page.on("pageerror", lambda error: complaints.append(str(error)))
            await page.add_init_script(f"({_COUNT_EVENTS})()")
            await stop_time(page)
            # Without the keypad, which `test_crew_page` examines: its page costs as much as the live page.
            await context.request.post(f"{url}/sign-in", form={"pin": PIN}, max_redirects=0)
            await page.goto(url)
            await expect(page.locator("#link")).not_to_have_text("Connecting …")
            opened = OpenPage(page=page, feed=feed, clock=clock, sent=sent)
            await opened.handle_events()
            yield opened
            assert complaints == []
        finally:
            await context.close()


async def stop_time(page: Page) -> None:
    """Stop the tablet's clock before the page is opened, so that no time passes while it loads."""
    await page.clock.install(time=TABLET_STARTS_AT)
    await page.clock.pause_at(TABLET_STARTS_AT + timedelta(hours=1))
