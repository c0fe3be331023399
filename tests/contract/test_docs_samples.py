"""The samples on the pages of the documentation: each operation has one in each language, and those that a page
composes from values of the reader run. `tests/journeys/test_beside_one_demo.py` runs all samples as they are.
"""

import html
import json
import re
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.harness.browser import TABLET, chromium
from tests.harness.docs_samples import LANGUAGES, curl_faults, prepare_environment, python_faults, run_typescript
from tests.harness.running_cloud import RunningCloud
from tests.harness.typescript_sdk import shared_project


@pytest.mark.contract("C-010")
def test_every_operation_of_the_openapi_document_has_a_sample_in_each_language_on_its_page(
    cloud: RunningCloud,
) -> None:
    with cloud.client(host="docs") as client:
        index = client.get("/api/docs").json()
    with cloud.client() as client:
        document = client.get("/.well-known/openapi.json").json()
    described = {
        one["operationId"] for item in document["paths"].values() for one in item.values() if "operationId" in one
    }
    assert {one["operation_id"] for one in index["operations"]} == described
    with cloud.client(host="docs") as client:
        for one in index["operations"]:
            for page in one["pages"].values():
                text = client.get(page).raise_for_status().text
                shown = dict(re.findall(r'<code data-language="(\w+)">(.*?)</code>', text, re.DOTALL))
                plain = {name: html.unescape(re.sub(r"<[^>]+>", "", code)) for name, code in shown.items()}
                assert plain == one["samples"]


async def composed(page: Page, url: str, fields: dict[str, str]) -> dict[str, str]:
    """Type values into the form of an operation's page; return the samples that the page composes."""
    await page.goto(url)
    for label, value in fields.items():
        await page.get_by_label(label).fill(value)
    for language in LANGUAGES:
        await expect(page.locator(f'code[data-language="{language}"]')).not_to_contain_text("<access-token>")
    return {
        language: await page.locator(f'code[data-language="{language}"]').text_content() or "" for language in LANGUAGES
    }


@pytest.mark.browser
async def test_samples_that_a_page_composes_from_values_of_the_reader_run_in_each_language(
    cloud: RunningCloud, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs, project = cloud.urls["docs"], shared_project(tmp_path_factory)
    prepare_environment(cloud, monkeypatch)
    with cloud.client("north") as client:
        begun = client.post("/api/v1/epcr/encounters", json={"care_model": "event_medical"})
    shared = {"Base URL": cloud.urls["api"], "Access token": cloud.token("north")}
    # A path, a query with what must be encoded, and a body with what each language must escape.
    read = {
        **shared,
        "encounterId path, required": begun.json()["id"],
        "limit query": "5",
        "since query": "2026-01-02T03:04:05+01:00",
    }
    in_polish = {"Bazowy URL": shared["Base URL"], "Token dostępu": shared["Access token"]}
    serial = 'it\'s "7" – $(id) \\ `x`'
    device = {"serial_number": serial, "device_class": "bp", "manufacturer": "ACME", "vehicle_id": None}
    async with chromium() as browser:
        page = await browser.new_page(viewport=TABLET)  # type: ignore[arg-type]
        reading = await composed(page, f"{docs}/en/docs/api-reference/listEncounterObservations", read)
        enrolling = await composed(
            page,
            f"{docs}/pl/docs/api-reference/enrolDevice",
            {**in_polish, "Treść (JSON)": json.dumps(device)},
        )
    samples = {"reading": reading, "enrolling": enrolling}
    assert curl_faults({name: one["curl"] for name, one in samples.items()}, tmp_path) == {}
    assert python_faults({name: one["python"] for name, one in samples.items()}) == {}
    results = run_typescript(project, [(name, one["typescript"]) for name, one in samples.items()])
    ((found,), (enrolled,)) = (results["reading"]["printed"], results["enrolling"]["printed"])
    assert isinstance(found, list)
    assert enrolled["serial_number"] == serial
