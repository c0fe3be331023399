"""The examples in the published guides run as printed, and what the guides say about the result is true."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.eventually import WITHIN_S
from tests.harness.node import running_script
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud

GUIDES = Path(__file__).parents[2] / "cloud" / "partners" / "docs" / "guides"


def example(guide: str, kind: str, cloud: RunningCloud) -> str:
    """Return the first example of a guide in a code block of this kind, with the addresses of the running cloud. The
    guides of both languages have the same one."""
    texts = [(GUIDES / language / f"{guide}.md").read_text() for language in ("en", "pl")]
    code: str
    (code,) = {re.findall(rf"(?ms)^```{kind}\n(.*?)^```", text)[0] for text in texts}
    for host, url in cloud.urls.items():
        code = code.replace(f"https://{host}.example.org", url)
    return code


@pytest.mark.contract("C-063", "C-103", "C-111", "C-115", "C-120", "C-124", "C-127")
def test_example_in_the_guide_to_observations_runs_as_printed(
    cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = run_first(cloud, monkeypatch)
    assert found["device"]["id"] in {device["id"] for device in found["devices"]}
    assert found["encounter"]["status"] == "in_progress"
    assert found["observation"]["device_id"] == found["device"]["id"]
    with cloud.client("north") as client:
        summary = client.get(f"/api/v1/epcr/encounters/{found['encounter']['id']}")
    assert summary.status_code == 200
    posted = cloud.console("observations", "export", "--tenant", "tnt_one", "--device", found["device"]["id"], "--json")
    assert f'"encounter_id":"{found["encounter"]["id"]}"' in posted
    assert '"origin":"api"' in posted


def run_first(cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Run the example of the guide to observations; return its variables."""
    monkeypatch.setenv("TOKEN", cloud.token("north"))
    found: dict[str, Any] = {}
    exec(example("observations", "python", cloud), found)  # noqa: S102  the guide's own lines, which is the point
    return found


@pytest.mark.contract("C-108")
def test_example_of_the_guide_posts_a_bundle_to_a_fhir_server_and_repeats_it_without_effect(
    cloud: RunningCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = example("fhir", "python", cloud)
    with (
        running_script("fhir_server.mjs") as port,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", verify=PLAIN, timeout=WITHIN_S) as server,
    ):
        monkeypatch.setenv("FHIR_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("ENCOUNTER_ID", run_first(cloud, monkeypatch)["encounter"]["id"])
        found: dict[str, Any] = {}
        exec(code, found)  # noqa: S102
        created = server.get("/created").json()
        assert created["Observation"] >= 1  # each run of the example posts one to the same encounter
        assert created | {"Observation": 1} == dict.fromkeys(
            ("Patient", "Encounter", "Composition", "Device", "DeviceMetric", "Observation"), 1
        )
        exec(code, found)  # noqa: S102
        assert server.get("/created").json() == created
        found["fhir"].close()
