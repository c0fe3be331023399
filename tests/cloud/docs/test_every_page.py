"""Every page of the documentation in Chromium, in both languages and at both sizes: no overflow, no foreign request, no
message of the console, no violation of WCAG 2.2 AA, and each control can be reached with the Tab key and shows it.

The looks (tablet or phone, light or dark) change no element, so each page is loaded once. `make test` examines each
page with axe-core in one look, so that neighbouring pages of a kind have all four, and presses Tab through the first
page of each kind. The table of contents and its focus are examined on the first pages of each kind. Of the pages of
problem types axe-core and the test of the focus examine the first eight; each other one has the same elements and
attributes, so the same style, and a text in each element. `make soak ONLY=docs` examines each page in all looks, with
its table of contents, and presses Tab through each.
"""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import product

import pytest
from playwright.async_api import Browser, Page, Response

from cloud.foundation.http import Host, catalogue, slug
from cloud.partners.docs import verification_page
from cloud.partners.docs.guides import GUIDES
from cloud.partners.docs.reference import Reference
from cloud.partners.docs.routes import routes
from tests.builders.http_surface import Surface
from tests.builders.parts import make_parts
from tests.harness.axe import load_with_each_page, violations
from tests.harness.browser import PHONE, TABLET

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

IS_FULL = os.environ.get("ARGUS_SOAK") == "1"
LOOKS = tuple(product((TABLET, PHONE), ("light", "dark")))
LANGUAGES = ("en", "pl")
KINDS = ("others", "guides", "operations", "problems")
TABS_MAX = 400
PROBLEMS_EXAMINED = 8
CONTENTS_EXAMINED = {"others": 2, "guides": 8, "operations": 2, "problems": 2}
"""Kind → on how many pages the table of contents is examined, which differs only in the group of an operation. The
first eight pages of guides have each look in each language."""
CONTENTS = "nav"
# One text, since Playwright reads each item of an array by itself.
SHAPE = """() => [...document.querySelectorAll("*")].map((e) =>
  e.tagName + [...e.attributes].filter((one) => one.name !== "href").map((one) => one.name + one.value).join(" "))
  .join("\\n")"""
# The title of a page ends with the name of the site.
EMPTY = """() => [...document.querySelectorAll("title, h1, p, dd")]
  .filter((e) => !e.textContent.split(" · ")[0].trim()).map((e) => `no text: ${e.tagName}`)"""
# A long word is wider than the page, but not the element that it is in.
WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".wide, pre, .skip"))
  .map((e) => `wider than the page: ${e.outerHTML.slice(0, 120)}`)
  .concat(document.documentElement.scrollWidth > innerWidth ? ["the page scrolls sideways"] : [])"""
# Elements come in the order of the document, since no `tabindex` is positive.
CONTROLS = """[...document.querySelectorAll("a[href], button, input, textarea, select, summary, [tabindex]")]
  .filter((e) => e.tabIndex >= 0 && e.checkVisibility({ visibilityProperty: true }))"""
FOCUS_FAULTS = f"""(without) => {{
  const faults = [];
  for (const e of document.querySelectorAll("[tabindex]")) if (e.tabIndex > 0) faults.push(`changes the order: ${{e.outerHTML.slice(0, 120)}}`);
  for (const e of {CONTROLS}) {{
    if (without && e.closest(without)) continue;
    e.focus({{ preventScroll: true }});
    const style = getComputedStyle(e);
    const isShown = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
    if (document.activeElement !== e || !isShown) faults.push(`focus is not shown: ${{e.outerHTML.slice(0, 120)}}`);
  }}
  document.activeElement.blur();
  return faults;
}}"""  # noqa: E501
# What a page shows when a reader opens it, or enters a wrong value.
OPENED = """() => {
  for (const e of document.querySelectorAll("details")) e.open = true;
  for (const e of document.querySelectorAll(".wrong")) e.hidden = false;
}"""
REACHED = f"() => {CONTROLS}.indexOf(document.activeElement)"
START_OF_PAGE = """() => {
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
COUNT = f"() => {CONTROLS}.length"


def pages(kind: str, reference: Reference) -> Iterator[tuple[Host, str]]:
    """Yield host and address of each page of a kind, in both languages."""
    names: dict[str, tuple[Host, Sequence[str]]] = {
        "guides": (Host.DOCS, [f"/{{}}/docs/guides/{name}" for name in GUIDES]),
        "operations": (Host.DOCS, [f"/{{}}/docs/api-reference/{name}" for name in reference.operations]),
        "problems": (Host.API, [f"/problems/{slug(one.code)}?language={{}}" for one in catalogue()]),
        "others": (
            Host.DOCS,
            (
                "/{}/docs",
                "/{}/docs/api-reference",
                "/{}/docs/search",
                "/{}/docs/search?q=webhook",
                "/{}/docs/search?q=zzzz",
                "/{}/docs/guides/absent",
                "/api/docs?language={}",
                "/api/docs/events?language={}",
            ),
        ),
    }
    host, paths = names[kind]
    yield from ((host, path.format(language)) for path in paths for language in LANGUAGES)
    if kind == "others":
        yield from ((Host.API, f"/problems?language={language}") for language in LANGUAGES)


async def test_pages_that_are_examined_are_all_pages_of_the_documentation(reference: Reference) -> None:
    """A new kind of page must be in `pages`."""
    paths = [path.partition("?")[0] for kind in KINDS for _, path in pages(kind, reference)]
    unexamined = {
        row.path
        for row in routes(make_parts())
        if not any(re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", row.path), path) for path in paths)
    }
    assert unexamined == {"/", verification_page.PATH}  # a redirect, and a file


async def tab_faults(page: Page) -> list[str]:
    """Press Tab until the focus has left the page. Return a fault if it did not visit all controls in their order, or
    stayed at the last one. A browser without a window has no control outside of the page, so the focus may go from the
    last control to the first."""
    await page.evaluate(START_OF_PAGE)
    expected = list(range(await page.evaluate(COUNT)))
    visited: list[int] = []
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        place = await page.evaluate(REACHED)
        if place == -1 or place in visited:
            break
        visited.append(place)
    is_passed = visited == expected and place in (-1, 0)
    return [] if is_passed else [f"Tab visits {visited} of {len(expected)} controls, then {place}"]


def looks_of(kind: str, number: int) -> tuple[tuple[dict[str, int], str], ...]:
    """Return the looks in which axe-core examines a page. `number` is its place among the pages of its kind."""
    if IS_FULL:
        return LOOKS
    if kind == "problems" and number >= PROBLEMS_EXAMINED:
        return ()
    return (LOOKS[(number // len(LANGUAGES) + number) % len(LOOKS)],)


async def examine(page: Page, kind: str, number: int) -> list[str]:
    """Return the faults of the page that is open."""
    found: list[str] = []
    chosen = looks_of(kind, number)
    without = None if IS_FULL or number < CONTENTS_EXAMINED[kind] else CONTENTS
    await page.evaluate(OPENED)
    if chosen:
        await page.keyboard.press("Tab")  # a browser shows the focus to those who use the keyboard
    # Every second page begins with the size that the one before it ended with, since another size is another layout.
    for size in (TABLET, PHONE) if number % 2 else (PHONE, TABLET):
        await page.set_viewport_size(size)  # type: ignore[arg-type]
        found += await page.evaluate(WIDER_THAN_THE_PAGE)
        if chosen:
            found += await page.evaluate(FOCUS_FAULTS, without)
        for scheme in ("light", "dark"):
            if (size, scheme) in chosen:
                await page.emulate_media(color_scheme=scheme)
                found += [f"{scheme}, {size['width']}: {one}" for one in await violations(page, without=without)]
        if IS_FULL or number < len(LANGUAGES):
            found += await tab_faults(page)
    return found


@pytest.mark.parametrize("kind", KINDS)
async def test_every_page_of_a_kind_fits_both_sizes_is_accessible_by_keyboard_and_requests_nothing_from_another_host(
    browser: Browser, served: Surface, reference: Reference, kind: str
) -> None:
    page = await browser.new_page()
    if kind != "problems":
        await load_with_each_page(page)
    requested: list[str] = []
    said: list[str] = []
    shapes: dict[str, str] = {}
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    faults: dict[str, list[str]] = {}
    for number, (host, path) in enumerate(pages(kind, reference)):
        response = await page.goto(served.url(path, host))
        assert isinstance(response, Response)
        assert response.status == (404 if path.endswith("/absent") else 200), path
        found = []
        if kind == "problems":
            shape = await page.evaluate(SHAPE)
            # The first page of each language is one that axe-core examines.
            if shape != shapes.setdefault(LANGUAGES[number % len(LANGUAGES)], shape):
                found.append("has other elements or attributes than the first page")
            found += await page.evaluate(EMPTY)
        found += await examine(page, kind, number)
        # The browser logs each 404 itself: that of the absent page.
        found += [text for text in said if response.status == 200 or "404" not in text]
        found += [f"requests {url}" for url in requested if not url.startswith(served.url("/", host))]
        said.clear()
        requested.clear()
        if found:
            faults[path] = found
    await page.close()
    assert faults == {}
