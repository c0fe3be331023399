"""The samples on the pages of the documentation: each operation has one in each language, all pass a strict check of
types, and those that a page composes from values of the reader run. `tests/journeys/test_beside_one_demo.py` runs all
samples as they are.
"""

import html
import json
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from tests.harness.browser import TABLET
from tests.harness.docs_samples import (
    LANGUAGES,
    code_of_guides,
    curl_faults,
    prepare_environment,
    python_faults,
    run_typescript,
)
from tests.harness.guide_blocks import blocks_on_pages
from tests.harness.running_cloud import RunningCloud
from tests.harness.typescript_sdk import FOLDER, run, shared_project
from tests.tidy.sources import ROOT


@pytest.fixture(scope="module")
def index(cloud: RunningCloud) -> dict[str, Any]:
    with cloud.client(host="docs") as client:
        found: dict[str, Any] = client.get("/api/docs").json()
    return found


@pytest.mark.contract("C-010")
def test_every_operation_of_the_openapi_document_has_a_sample_in_each_language_on_its_page(
    cloud: RunningCloud, index: dict[str, Any]
) -> None:
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
                # What is not a sample is an example of the document, which `test_examples` compares with a response.
                operation = pointed(document, one["openapi"].partition("#")[2])
                examples = [
                    each["example"]
                    for reply in operation["responses"].values()
                    for each in list(reply.get("content", {}).values())[:1]
                    if reply.get("description") and "example" in each
                ]
                others = re.findall(r'<pre tabindex="0"><code>(.*?)</code></pre>', text, re.DOTALL)
                assert all(json.loads(html.unescape(other)) in examples for other in others), page
                assert text.count("<pre") == len(shown) + len(others), page


def pointed(document: dict[str, Any], pointer: str) -> Any:
    """Return the value at a JSON Pointer (RFC 6901)."""
    found: Any = document
    for step in pointer.split("/")[1:]:
        found = found[step.replace("~1", "/").replace("~0", "~")]
    return found


def written(folder: Path, cloud: RunningCloud, index: dict[str, Any], language: str, suffix: str) -> Path:
    """Write the code of a language on all pages to a new folder, as the pages show it, one file for each page."""
    folder.mkdir()
    samples: Mapping[str, str] = {one["operation_id"]: one["samples"][language] for one in index["operations"]}
    for name, text in {**samples, **code_of_guides(blocks_on_pages(cloud, index), language)}.items():
        (folder / (name.replace("-", "_") + suffix)).write_text(text)
    return folder


def test_typescript_of_all_pages_passes_a_strict_check(
    cloud: RunningCloud, index: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = written(shared_project(tmp_path_factory) / "typed", cloud, index, "typescript", ".ts")
    modules = FOLDER / "node_modules"
    words = ("--strict", "--noEmit", "--skipLibCheck", "--target", "es2022", "--module", "nodenext")
    # A sample without an import is a module too.
    types = ("--moduleDetection", "force", "--lib", "es2023,dom,dom.iterable", "--types", "node")
    files = sorted(path.name for path in folder.iterdir())
    run(folder, modules / ".bin" / "tsc", *words, *types, "--typeRoots", modules / "@types", *files)


def test_python_of_all_pages_passes_a_strict_check(cloud: RunningCloud, index: dict[str, Any], tmp_path: Path) -> None:
    folder = written(tmp_path / "typed", cloud, index, "python", ".py")
    words = ("--strict", "--config-file=", "--cache-dir", ROOT / ".mypy_cache" / "pages")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *words, "."],
        cwd=folder,
        env={**os.environ, "MYPYPATH": os.pathsep.join((str(ROOT / "sdk" / "python" / "src"), str(ROOT)))},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


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
@pytest.mark.asyncio(loop_scope="session")
async def test_samples_that_a_page_composes_from_values_of_the_reader_run_in_each_language(
    browser: Browser,
    cloud: RunningCloud,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
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
    with cloud.client("north", "auth") as client:
        wanted = {"url": "https://integrator.example/webhooks/composed", "events": ["incident.updated"]}
        webhook = f"/v1/webhooks/{client.post('/v1/webhooks', json=wanted).raise_for_status().json()['id']}"
        etag = client.get(webhook).headers["ETag"]
    key = str(uuid.uuid4())
    page = await browser.new_page(viewport=TABLET)  # type: ignore[arg-type]
    reading = await composed(page, f"{docs}/en/docs/api-reference/listEncounterObservations", read)
    enrolling = await composed(
        page,
        f"{docs}/pl/docs/api-reference/enrolDevice",
        {**in_polish, "Treść (JSON)": json.dumps(device)},
    )
    beginning = await composed(
        page,
        f"{docs}/en/docs/api-reference/beginEncounter",
        {**shared, "Idempotency-Key header": key, "Body (JSON)": '{"care_model": "event_medical"}'},
    )
    changing = await composed(
        page,
        f"{docs}/en/docs/api-reference/updateWebhook",
        {
            **shared,
            "Base URL": cloud.urls["auth"],
            "webhook_id path, required": webhook.rpartition("/")[2],
            "If-Match header": etag,
            "Body (JSON)": '{"status": "active"}',
        },
    )
    samples = {"reading": reading, "enrolling": enrolling, "beginning": beginning, "changing": changing}
    assert curl_faults({name: one["curl"] for name, one in samples.items()}, tmp_path) == {}
    assert python_faults({name: one["python"] for name, one in samples.items()}) == {}
    results = run_typescript(project, [(name, one["typescript"]) for name, one in samples.items()])
    ((found,), (enrolled,), (begun_again,), (changed,)) = (results[name]["printed"] for name in samples)
    assert isinstance(found, list)
    assert enrolled["serial_number"] == serial
    with cloud.client("north") as client:
        again = client.post(
            "/api/v1/epcr/encounters", json={"care_model": "event_medical"}, headers={"Idempotency-Key": key}
        )
    assert (again.json()["id"], again.headers["Idempotency-Replayed"]) == (begun_again["id"], "true")
    assert changed["status"] == "active"
    with cloud.client("north", "auth") as client:
        client.put(webhook, json={"description": "changed"}).raise_for_status()
    assert "412" in curl_faults({"stale": changing["curl"]}, tmp_path)["stale"]
