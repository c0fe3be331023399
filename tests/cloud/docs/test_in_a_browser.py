"""The documentation in Chromium: each kind of page without overflow, violations of WCAG and foreign requests, and the
script that composes samples and shows search results."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from cloud.foundation.http import Host, Route
from cloud.partners.docs.guides import GUIDES
from cloud.partners.docs.reference import Reference
from tests.builders.http_surface import Surface, surface
from tests.harness.axe import violations
from tests.harness.browser import PHONE, TABLET, chromium

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

PAGES = (
    "/en/docs",
    "/pl/docs/api-reference",
    "/en/docs/api-reference/enqueueJob",
    "/pl/docs/guides/jobs",
    "/en/docs/guides/provenance",
    "/pl/docs/search?q=webhook",
    "/api/docs?language=pl",
    "/api/docs/events",
    "/absent",
)
PAGES_OF_API = ("/problems?language=pl", "/problems/insufficient-scope")
WIDER_THAN_THE_PAGE = """() => [...document.querySelectorAll("body *")]
  .filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".wide, pre, .skip"))
  .map((e) => e.outerHTML.slice(0, 120))"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as opened:
        yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def served(published: tuple[Sequence[Route], bytes]) -> AsyncIterator[Surface]:
    """Serve the routes of the docs host, and the pages of problem types on the api host."""
    rows = [row for row in published[0] if Host.DOCS in row.hosts or row.path.startswith("/problems")]
    async with surface(*rows) as running:
        yield running


@pytest.fixture(scope="module")
def docs(served: Surface) -> str:
    """Return the address of the docs host."""
    return served.url("", Host.DOCS)


async def open_page(browser: Browser, url: str, **context: object) -> Page:
    page = await browser.new_page(**context)  # type: ignore[arg-type]
    await page.goto(url)
    return page


@pytest.mark.parametrize("viewport", [TABLET, PHONE], ids=["tablet", "phone"])
async def test_pages_have_no_overflow_no_wcag_violation_and_no_request_to_another_host(
    browser: Browser, served: Surface, viewport: dict[str, int]
) -> None:
    pages = [served.url(path, Host.DOCS) for path in PAGES] + [served.url(path) for path in PAGES_OF_API]
    page = await browser.new_page(viewport=viewport)  # type: ignore[arg-type]
    requested: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    faults: dict[str, list[str]] = {}
    for url in pages:
        await page.goto(url)
        found = await page.evaluate(WIDER_THAN_THE_PAGE)
        for scheme in ("light", "dark"):
            await page.emulate_media(color_scheme=scheme)
            found += await violations(page)
        if found:
            faults[url] = found
    await page.close()
    assert faults == {}
    ours = (served.url("", Host.DOCS), served.url(""))
    assert [url for url in requested if not url.startswith(ours)] == []
    assert [text for text in said if "favicon" not in text and "404" not in text] == []


async def test_every_guide_and_operation_fits_the_screen_of_a_phone(
    browser: Browser, docs: str, reference: Reference
) -> None:
    pages = [f"/{language}/docs/guides/{name}" for language in ("en", "pl") for name in GUIDES]
    pages += [f"/pl/docs/api-reference/{id}" for id in reference.operations]
    page = await browser.new_page(viewport=PHONE)  # type: ignore[arg-type]
    faults: dict[str, list[str]] = {}
    for path in pages:
        await page.goto(docs + path)
        if found := await page.evaluate(WIDER_THAN_THE_PAGE):
            faults[path] = found
    await page.close()
    assert faults == {}


async def test_page_without_javascript_has_the_samples_and_the_search_works(browser: Browser, docs: str) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport=PHONE)  # type: ignore[arg-type]
    page = await context.new_page()
    await page.goto(docs + "/en/docs/api-reference/listDevices")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("<access-token>")
    await expect(page.locator("form.compose")).to_be_hidden()
    await expect(page.locator("button.copy").first).to_be_hidden()
    await page.get_by_role("searchbox").fill("webhook")
    await page.get_by_role("button", name="Search").click()
    await expect(page.get_by_role("link", name="Webhooks", exact=True).first).to_be_visible()
    await context.close()


async def test_keyboard_alone_reaches_the_content_the_composer_and_the_samples(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/inspectJob", viewport=TABLET)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(3):
        await page.keyboard.press("Tab")
    await expect(page.get_by_label("id path, required")).to_be_focused()
    await page.keyboard.type("job 1")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("/v1/jobs/job%201")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.locator("details.sample").first).not_to_have_attribute("open", "")
    await page.close()


async def test_keyboard_alone_changes_the_language_of_a_page_with_one_address_and_follows_its_links(
    browser: Browser, served: Surface
) -> None:
    page = await open_page(browser, served.url("/problems/insufficient-scope"), viewport=PHONE, locale="en-GB")
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Argus for developers")).to_be_focused()
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_text("Odpowiedź z tym błędem")).to_be_visible()
    await expect(page.get_by_role("heading", level=1)).to_have_attribute("lang", "en")
    for _ in range(4):
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Rodzaje błędów")
    await page.close()


async def test_values_of_the_reader_appear_in_each_sample_and_are_neither_sent_nor_stored(
    browser: Browser, docs: str
) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/enqueueJob", viewport=TABLET)
    requested: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    await page.get_by_label("Base URL").fill("https://argus.example.net/ignored")
    await page.get_by_label("Access token").fill("synthetic.token")
    await page.get_by_label("Body (JSON)").fill('{"kind": "it\'s", "payload": {"deep": [true, null, 1.5]}}')
    samples = {
        name: await page.locator(f'code[data-language="{name}"]').inner_text()
        if name == "curl"
        else await page.locator(f'code[data-language="{name}"]').text_content() or ""
        for name in ("curl", "python", "typescript")
    }
    for text in samples.values():
        assert '"https://argus.example.net' in text
        assert "synthetic.token" in text
        assert "<access-token>" not in text
    assert """-d '{\n  "kind": "it'\\''s",""" in samples["curl"]
    assert '"deep": [True, None, 1.5]' in samples["python"]
    compile(samples["python"], "sample", "exec")
    assert '"kind": "it\'s"' in samples["typescript"]
    assert requested == []
    assert await page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    await page.reload()
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("<access-token>")
    await page.close()


async def test_path_and_query_of_the_reader_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/listEncounterObservations", viewport=TABLET)
    await page.get_by_label("encounterId path, required").fill("enc/1")
    await page.get_by_label("limit query").fill("50")
    await page.get_by_label("mdc_code query").fill("A,B")
    for language, text in (
        ("curl", "/api/v1/epcr/encounters/enc%2F1/observations?mdc_code=A%2CB&limit=50"),
        ("python", "/api/v1/epcr/encounters/enc%2F1/observations?mdc_code=A%2CB&limit=50"),
        ("typescript", '{\n  path: { encounterId: "enc/1" },\n  query: { mdc_code: "A,B", limit: 50 },\n});'),
    ):
        assert text in (await page.locator(f'code[data-language="{language}"]').text_content() or "")
    await page.close()


async def test_fields_of_a_form_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/issueToken", viewport=TABLET)
    await page.get_by_label("scope form field").fill("argus:epcr:read argus:jobs:read")
    await expect(page.locator('code[data-language="curl"]')).to_contain_text("client_secret=<client-secret>")
    await page.get_by_label("client_secret form field").fill("it's & <mine>")
    for language, texts in (
        ("curl", ("client_secret=it%27s+%26+%3Cmine%3E", "scope=argus:epcr:read+argus:jobs:read")),
        ("python", ('"client_secret": "it\'s & <mine>"', '"scope": "argus:epcr:read argus:jobs:read"')),
        ("typescript", ('"client_secret": "it\'s & <mine>"', '"scope": "argus:epcr:read argus:jobs:read"')),
    ):
        sample = await page.locator(f'code[data-language="{language}"]').text_content() or ""
        assert [text for text in ("client_credentials", *texts) if text not in sample] == []
    await page.close()


async def test_headers_of_the_reader_appear_in_each_sample(browser: Browser, docs: str) -> None:
    page = await browser.new_page(viewport=TABLET)
    for operation, header, value, expected in (
        (
            "enqueueJob",
            "Idempotency-Key",
            "import-7",
            ('-H "Idempotency-Key: import-7"', 'idempotency_key="import-7"', 'idempotencyKey: "import-7"'),
        ),
        (
            "updateWebhook",
            "If-Match",
            '"3f2a"',
            (
                '-H "If-Match: \\"3f2a\\""',
                'headers={"If-Match": "\\"3f2a\\""}',
                'headers: { "If-Match": "\\"3f2a\\"" }',
            ),
        ),
    ):
        await page.goto(f"{docs}/en/docs/api-reference/{operation}")
        samples = [page.locator(f'code[data-language="{name}"]') for name in ("curl", "python", "typescript")]
        before = [await sample.text_content() or "" for sample in samples]
        field = page.get_by_label(f"{header} header")
        await field.fill(value)
        for sample, text in zip(samples, expected, strict=True):
            assert text in (await sample.text_content() or ""), text
        await field.fill('"$(id)"')
        await expect(page.locator(".wrong:visible")).to_have_count(1)
        await field.fill("")
        assert [await sample.text_content() or "" for sample in samples] == before
    await page.close()


async def test_invalid_values_are_reported_and_leave_the_samples_as_they_were(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/enqueueJob", viewport=TABLET)
    before = await page.locator('code[data-language="curl"]').inner_text()
    for label, value, message in (
        ("Base URL", "javascript:alert(1)", "Not an address"),
        ("Base URL", "https://a$(id).example", "Not an address"),
        ("Access token", 'x" --evil "', "A token has no spaces"),
        ("Body (JSON)", "{", "Not valid JSON"),
    ):
        await page.get_by_label(label).fill(value)
        await expect(page.get_by_text(message)).to_be_visible()
        assert await page.locator('code[data-language="curl"]').inner_text() == before
    await page.close()


async def test_body_that_was_not_changed_is_composed_as_the_server_wrote_it(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/en/docs/api-reference/createApp", viewport=TABLET)
    read = "() => [...document.querySelectorAll('code[data-language]')].map((e) => e.textContent)"
    before = await page.evaluate(read)
    body = page.get_by_label("Body (JSON)")
    await body.fill("{}")
    assert await page.evaluate(read) != before
    await body.fill(await body.evaluate("(e) => e.defaultValue"))
    assert await page.evaluate(read) == before
    await page.close()


async def test_search_shows_results_while_typing_and_escape_closes_them(browser: Browser, docs: str) -> None:
    page = await open_page(browser, docs + "/pl/docs", viewport=PHONE)
    field = page.get_by_role("searchbox")
    await field.press_sequentially("zadani")
    results = page.locator(".found a")
    await expect(results.first).to_have_attribute("href", "/pl/docs/guides/jobs")
    await field.press("Escape")
    await expect(page.locator(".found")).to_be_hidden()
    await page.close()
