"""The example in the integrators' guide runs as printed, and what the guide says about the result is true."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.harness.running_cloud import RunningCloud

GUIDE = Path(__file__).parents[2] / "docs" / "integrator.md"


@pytest.mark.contract("C-063", "C-103", "C-111", "C-115", "C-120", "C-124", "C-127")
def test_example_in_the_integrator_guide_runs_as_printed(cloud: RunningCloud) -> None:
    app = cloud.apps["north"]
    found: dict[str, Any] = {
        "CLIENT_ID": app.client_id,
        "CLIENT_SECRET": app.client_secret,
        "AUTH": cloud.urls["auth"],
        "API": cloud.urls["api"],
    }
    example = re.search(r"^```python\n(.*?)^```", GUIDE.read_text(), re.DOTALL | re.MULTILINE)
    assert example is not None
    exec(example[1], found)  # noqa: S102  the guide's own lines, which is the point
    assert found["device"]["id"] in {device["id"] for device in found["devices"]}
    assert found["encounter"]["status"] == "in_progress"
    assert found["observation"]["device_id"] == found["device"]["id"]
    with cloud.client("north") as client:
        summary = client.get(f"/api/v1/epcr/encounters/{found['encounter']['id']}")
    assert summary.status_code == 200
    posted = cloud.console("observations", "export", "--tenant", "tnt_one", "--device", found["device"]["id"], "--json")
    assert f'"encounter_id":"{found["encounter"]["id"]}"' in posted
    assert '"origin":"api"' in posted
