"""The SDK for TypeScript works with a running cloud: tokens, pages, idempotency keys, jobs, FHIR bundles, evidence."""

import uuid
from pathlib import Path
from typing import Any

import pytest

from tests.harness.running_cloud import RunningCloud
from tests.harness.typescript_sdk import run_script, shared_project


@pytest.fixture(scope="module")
def found(cloud: RunningCloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what a program found that uses the cloud with the installed package."""
    app = cloud.apps["north"]
    facts = {
        "api_url": cloud.urls["api"],
        "auth_url": cloud.urls["auth"],
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "folder": str(tmp_path_factory.mktemp("downloads")),
        "name": f"TS-{uuid.uuid4().hex[:12]}",
    }
    result: dict[str, Any] = run_script(shared_project(tmp_path_factory), "cloud.mjs", facts)
    assert [path.suffix for path in sorted(Path(facts["folder"]).iterdir())] == [".json", ".ndjson"]
    assert app.client_secret not in str(result)
    return result


@pytest.mark.contract("C-062", "C-108", "C-153", "C-158", "A-082")
def test_typescript_sdk_lists_repeats_downloads_and_follows_a_job(found: dict[str, Any]) -> None:
    for name in (
        *("lists_all_devices", "same_key_is_one_encounter", "bundle_has_the_observation"),
        *("export_has_the_encounter", "lists_the_job"),
    ):
        assert found[name], name
    assert found["job"] == "succeeded"


@pytest.mark.contract("C-234", "C-235")
def test_typescript_sdk_verifies_a_transcript_of_the_cloud(found: dict[str, Any]) -> None:
    assert (found["outcome"], found["graph"], found["secret_outcome"]) == ("intact", "matches", "unverifiable")
    assert found["cloud_agrees"]
    assert found["changed_is_reported_alike"]


def test_failures_have_the_code_of_the_cloud_and_no_secret(found: dict[str, Any]) -> None:
    codes = {name: (found[name]["status"], found[name]["code"]) for name in ("reused_key", "absent", "refused")}
    assert codes == {
        "reused_key": (422, "idempotency_key_reused"),
        "absent": (404, "encounter_unknown"),
        "refused": (401, "invalid_client"),
    }
    assert found["absent"]["has_trace"]
    assert found["ended_job"]["status"] == 409
    assert "not-the-secret" not in found["refused"]["text"]
