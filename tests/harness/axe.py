"""Accessibility violations of a page in Playwright by the rules of WCAG 2.2 AA, found by axe-core.

axe-core is evaluated through the browser's debugger, because the page's content security policy allows no script.
"""

from functools import cache
from typing import Any

from playwright.async_api import Page

from tests.harness.node import FOLDER, require

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]


@cache
def _program() -> str:
    path = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    require(path, "axe-core in the packages of tests/contract/node")
    return path.read_text()


async def load_with_each_page(page: Page) -> None:
    """Load axe-core with each document that the page will open, for a test of many documents."""
    await page.add_init_script(_program())


async def violations(page: Page, *, without: str | None = None) -> list[str]:
    """Return one line for each element that violates a rule: the rule, the element, and the reason. `without`: a
    selector of elements that are left out."""
    if not await page.evaluate("'axe' in window"):  # a page that is examined twice loads it once
        await page.evaluate(_program())
    found: dict[str, Any] = await page.evaluate(
        "([tags, without]) => axe.run(without ? {exclude: [without]} : document,"
        " {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})",
        [TAGS, without],
    )
    return [
        f"{one['id']}: {one['help']} at {' '.join(str(part) for part in node['target'])}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
