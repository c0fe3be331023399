"""The findings of axe-core about a page in Playwright, by WCAG 2.2 AA.

The program is evaluated through the browser's debugger, so that the page's own policy, which allows no script, stays as
it is.
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


async def violations(page: Page) -> list[str]:
    """Return each violation and its place, a line each."""
    await page.evaluate(_program())
    found: dict[str, Any] = await page.evaluate(
        "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}, resultTypes: ['violations']})", TAGS
    )
    return [
        f"{one['id']}: {one['help']} at {' '.join(str(part) for part in node['target'])}: {node['failureSummary']}"
        for one in found["violations"]
        for node in one["nodes"]
    ]
