"""Requests of a page that a test refuses, holds or responds to itself.

The interception stays on until the page is closed. Playwright's `unroute` and `times` switch it off while the page
works: of the requests that begin in this moment, Chromium 150 loses about one in a hundred under load. Such a request
has no response and no error, so a test that needs it waits without end.
"""

from collections.abc import Awaitable, Callable

from playwright.async_api import Page, Route

Act = Callable[[Route], Awaitable[None]]


async def pass_on(route: Route) -> None:
    """Send the request to the server."""
    await route.continue_()


async def abort(route: Route) -> None:
    """Let the request fail, as without contact."""
    await route.abort()


def once(act: Act) -> Act:
    """Handle the first request with `act`, and pass the others on."""
    acts = iter((act,))
    return lambda route: next(acts, pass_on)(route)


class Requests:
    """The requests of a page that match a pattern. `act` handles each of them; a test may replace it."""

    def __init__(self, act: Act) -> None:
        self.act = act

    async def handle(self, route: Route) -> None:
        await self.act(route)


async def intercept(page: Page, pattern: str, act: Act) -> Requests:
    """Handle the requests of `page` whose URL matches the glob `pattern` with `act`, until the page is closed."""
    requests = Requests(act)
    await page.route(pattern, requests.handle)
    return requests
