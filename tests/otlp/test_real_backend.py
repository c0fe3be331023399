"""A tracing backend that others wrote gets the spans of a cloud, and returns them by its own API."""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.harness.running_cloud import RunningCloud, cloud_running
from tests.otlp.conftest import Backend

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def cloud(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCloud]:
    folder = tmp_path_factory.mktemp("cloud")
    headers = folder / "otlp-headers"
    headers.write_text(f"Authorization: Bearer {backend.token}\n")
    headers.chmod(0o600)
    tracing = f'[tracing]\notlp_endpoint = "{backend.url}/v1/traces"\notlp_headers_file = "{headers}"\n'
    with cloud_running(folder, more_settings=tracing) as running:
        running.secrets.add(backend.token)
        yield running
    assert running.leaks() == []


def found_within(find: Callable[[], Any]) -> Any:
    deadline_s = time.monotonic() + WITHIN_S
    while not (found := find()):
        assert time.monotonic() < deadline_s, "nothing was found in time"
        time.sleep(0.2)
    return found


def run_story(cloud: RunningCloud) -> list[dict[str, Any]]:
    """Create an encounter, read it and an absent one; return the spans that the cloud has of it."""
    traceparent = {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    with cloud.client("north") as client:
        mission = {"care_model": "prehospital_emergency", "vehicle_id": "AMB-42"}
        made = client.post("/api/v1/epcr/encounters", headers=traceparent, json=mission)
        assert made.status_code == 201, made.text
        path = f"/api/v1/epcr/encounters/{made.json()['id']}"
        assert client.get(path, headers=traceparent).status_code == 200
        assert client.get(f"{path}x", headers=traceparent).status_code == 404

        def stored() -> list[dict[str, Any]]:
            document = client.get(f"/v1/observability/traces/{TRACE}").json()
            spans: list[dict[str, Any]] = document.get("spans", [])
            kinds = [one["kind"] for one in spans]
            # Three requests, and the handling of the event that the first one caused.
            return spans if kinds.count("server") == 3 and set(kinds) > {"server", "client"} else []

        spans: list[dict[str, Any]] = found_within(stored)
        return spans


@pytest.mark.contract("C-149", "A-107")
def test_backend_has_the_spans_of_a_trace_as_the_cloud_has_them(cloud: RunningCloud, backend: Backend) -> None:
    ours = {one["span_id"]: one for one in run_story(cloud)}
    found_within(lambda: len(backend.spans_of(TRACE)) >= len(ours))
    theirs = {one["context"]["span_id"]: one for one in backend.spans_of(TRACE)}
    assert theirs.keys() == ours.keys()
    for span_id, span in ours.items():
        other = theirs[span_id]
        assert (other["context"]["trace_id"], other["parent_id"]) == (TRACE, span["parent_span_id"])
        assert (other["name"], other["status_code"]) == (
            span["name"],
            "ERROR" if span["status"] == "error" else "UNSET",
        )
        assert moment(other["start_time"]) == moment(span["start_time"])
        assert moment(other["end_time"]) == moment(span["end_time"])
        assert flat(other["attributes"]) == {**flat(span["attributes"]), "argus.tenant.id": "tnt_one"}


def test_spans_that_the_backend_refuses_are_counted(backend: Backend, tmp_path: Path) -> None:
    headers = tmp_path / "otlp-headers"
    headers.write_text("Authorization: Bearer wrong-canary\n")
    headers.chmod(0o600)
    tracing = f'[tracing]\notlp_endpoint = "{backend.url}/v1/traces"\notlp_headers_file = "{headers}"\n'
    with cloud_running(tmp_path, more_settings=tracing) as running:
        with running.client("north") as client:
            assert client.get("/api/v1/devices").status_code == 200
        found_within(lambda: "spans.not_exported" in running.log_text())
    assert "wrong-canary" not in running.log_text()


def moment(text: str) -> str:
    """Return a time in UTC, with microseconds."""
    return datetime.fromisoformat(text).astimezone(UTC).isoformat(timespec="microseconds")


def flat(attributes: dict[str, Any], begin: str = "") -> dict[str, Any]:
    """Return attributes under their full names: the backend shows `http.route` as `{"http": {"route": …}}`."""
    found: dict[str, Any] = {}
    for name, value in attributes.items():
        found |= flat(value, f"{begin}{name}.") if isinstance(value, dict) else {f"{begin}{name}": value}
    return found
