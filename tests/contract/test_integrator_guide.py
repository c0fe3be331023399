"""The example in the integrators' guide runs as printed, and what the guide says about the result is true."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.harness.node import running_script
from tests.harness.running_cloud import RunningCloud

GUIDE = Path(__file__).parents[2] / "docs" / "integrator.md"


@pytest.mark.contract("C-063", "C-103", "C-111", "C-115", "C-120", "C-124", "C-127")
def test_examples_in_the_integrator_guide_run_as_printed(
    cloud: RunningCloud, capsys: pytest.CaptureFixture[str]
) -> None:
    app = cloud.apps["north"]
    found: dict[str, Any] = {
        "CLIENT_ID": app.client_id,
        "CLIENT_SECRET": app.client_secret,
        "AUTH": cloud.urls["auth"],
        "API": cloud.urls["api"],
    }
    example, of_sdk, _ = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    exec(example, found)  # noqa: S102  the guide's own lines, which is the point
    exec(of_sdk, found)  # noqa: S102
    assert found["device"]["id"] in capsys.readouterr().out.split()
    assert found["device"]["id"] in {device["id"] for device in found["devices"]}
    assert found["encounter"]["status"] == "in_progress"
    assert found["observation"]["device_id"] == found["device"]["id"]
    with cloud.client("north") as client:
        summary = client.get(f"/api/v1/epcr/encounters/{found['encounter']['id']}")
    assert summary.status_code == 200
    posted = cloud.console("observations", "export", "--tenant", "tnt_one", "--device", found["device"]["id"], "--json")
    assert f'"encounter_id":"{found["encounter"]["id"]}"' in posted
    assert '"origin":"api"' in posted


@pytest.mark.contract("C-108")
def test_example_of_the_guide_posts_a_bundle_to_a_fhir_server_and_repeats_it_without_effect(
    cloud: RunningCloud,
) -> None:
    app = cloud.apps["north"]
    first, _, second = re.findall(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    with running_script("fhir_server.mjs") as port, httpx.Client(base_url=f"http://127.0.0.1:{port}") as server:
        found: dict[str, Any] = {
            "CLIENT_ID": app.client_id,
            "CLIENT_SECRET": app.client_secret,
            "AUTH": cloud.urls["auth"],
            "API": cloud.urls["api"],
            "FHIR": f"http://127.0.0.1:{port}",
        }
        exec(first, found)  # noqa: S102  the guide's own lines, which is the point
        exec(second, found)  # noqa: S102
        created = server.get("/created").json()
        assert created["Observation"] >= 1  # each run of the example posts one to the same encounter
        assert created | {"Observation": 1} == dict.fromkeys(
            ("Patient", "Encounter", "Composition", "Device", "DeviceMetric", "Observation"), 1
        )
        exec(second, found)  # noqa: S102
        assert server.get("/created").json() == created
        found["fhir"].close()
