"""An address of the docs host that does not exist is a page for a browser, and a problem document for a program."""

import re
from collections.abc import Sequence

import httpx
import pytest

from cloud.foundation.http import Host, Route
from tests.builders.http_surface import surface
from tests.harness.eventually import WITHIN_S

BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
PAGES = (
    ("/absent", "en-GB", "en"),
    ("/absent", "pl", "pl"),
    ("/api/absent?x=1", "pl,en;q=0.5", "pl"),
    ("/en/docs/guides/absent", "pl", "en"),
    ("/pl/docs/guides/absent", "en", "pl"),
    ("/pl/docs/api-reference/absent", "en", "pl"),
)
"""Address, language of the browser, language of the page: that of the address if it has one."""


async def test_absent_address_of_the_docs_host_is_a_page_for_a_browser_and_a_problem_for_a_program(
    published: tuple[Sequence[Route], bytes],
) -> None:
    rows = [row for row in published[0] if Host.DOCS in row.hosts]
    async with surface(*rows) as running, httpx.AsyncClient(timeout=WITHIN_S) as client:
        for path, accepted, language in PAGES:
            url = running.url(path, Host.DOCS)
            page = await client.get(url, headers={**BROWSER, "Accept-Language": accepted})
            assert (page.status_code, page.headers["Content-Type"]) == (404, "text/html; charset=utf-8"), path
            assert (page.headers["Content-Language"], page.headers["Cache-Control"]) == (language, "no-store"), path
            title = {"en": "Page not found", "pl": "Nie ma takiej strony"}[language]
            assert f"<h1>{title}</h1>" in page.text, path
            links = re.findall(r'<a [^>]*href="https://docs\.example\.org(/[^"]*)"', page.text)
            assert f"/{language}/docs" in links, path
            for link in links:
                assert (await client.get(running.url(link, Host.DOCS))).status_code == 200, link
            program = await client.get(url)
            assert (program.status_code, program.json()["code"]) == (404, "not_found"), path
            assert program.headers["Content-Type"] == "application/problem+json", path
        # The page repeats nothing of the address.
        assert "absent" not in page.text


@pytest.mark.parametrize("host", [Host.API, Host.AUTH, Host.SANDBOX])
async def test_absent_address_of_another_host_is_a_problem_for_a_browser_too(
    published: tuple[Sequence[Route], bytes], host: Host
) -> None:
    async with (
        surface(*(row for row in published[0] if row.path == "/")) as running,
        httpx.AsyncClient(timeout=WITHIN_S) as client,
    ):
        response = await client.get(running.url("/absent", host), headers=BROWSER)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")
