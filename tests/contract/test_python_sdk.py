"""The SDK for Python works with a running cloud: tokens, pages, keys of repetition, jobs, FHIR bundles and evidence."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from argus_sdk import evidence
from argus_sdk.client import Argus, ClientCredentials, new_idempotency_key
from argus_sdk.errors import ApiError
from tests.harness.running_cloud import RunningCloud

POLL_S = 0.05


def client(cloud: RunningCloud, secret: str | None = None) -> Argus:
    app = cloud.apps["north"]
    tokens = ClientCredentials(cloud.urls["auth"], app.client_id, secret or app.client_secret)
    return Argus(auth_url=cloud.urls["auth"], api_url=cloud.urls["api"], tokens=tokens)


@pytest.fixture(scope="module")
def argus(cloud: RunningCloud) -> Iterator[Argus]:
    with client(cloud) as made:
        yield made


@pytest.fixture(scope="module")
def encounter(argus: Argus) -> dict[str, Any]:
    """Create an encounter with one observation."""
    device = argus.devices.enrol(
        {"serial_number": f"SDK-{uuid.uuid4()}", "device_class": "oximeter", "manufacturer": "ACME"}
    )
    begun = argus.encounters.begin({"care_model": "event_medical", "cad_incident_id": f"cad_{uuid.uuid4().hex}"})
    argus.devices.post_observation(
        device["id"],
        {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 97.0, "unit_code": "%", "encounter_id": begun["id"]},
        idempotency_key=new_idempotency_key(),
    )
    return dict(begun)


@pytest.mark.contract("C-062", "A-001")
def test_refused_credentials_are_an_error_without_the_secret(cloud: RunningCloud) -> None:
    with client(cloud, secret="not-the-secret") as argus, pytest.raises(ApiError) as refused:
        argus.jobs.read("01JTEST0000000000000000001")
    assert (refused.value.status, refused.value.code) == (401, "invalid_client")
    assert "not-the-secret" not in repr(refused.value) + repr(vars(refused.value))


@pytest.mark.contract("A-001", "A-082")
def test_list_has_the_devices_of_all_pages(argus: Argus) -> None:
    enrolled = {
        argus.devices.enrol({"serial_number": f"SDK-{uuid.uuid4()}", "device_class": "ecg", "manufacturer": "ACME"})[
            "id"
        ]
        for _ in range(3)
    }
    assert enrolled <= {device["id"] for device in argus.devices.list(limit=2)}
    with pytest.raises(ApiError) as missing:
        argus.encounters.read("enc_absent")
    assert (missing.value.status, missing.value.code) == (404, "encounter_unknown")
    assert missing.value.trace_id


@pytest.mark.contract("C-158", "A-068")
def test_post_with_the_same_key_is_executed_once(argus: Argus) -> None:
    key, cad = new_idempotency_key(), f"cad_{uuid.uuid4().hex}"
    one, other = (
        argus.encounters.begin({"care_model": "event_medical", "cad_incident_id": cad}, idempotency_key=key)
        for _ in range(2)
    )
    assert one["id"] == other["id"]
    with pytest.raises(ApiError) as reused:
        argus.encounters.begin({"care_model": "event_medical", "cad_incident_id": f"{cad}x"}, idempotency_key=key)
    assert (reused.value.status, reused.value.code) == (422, "idempotency_key_reused")


@pytest.mark.contract("C-153", "C-166")
def test_job_is_started_and_its_result_downloaded(argus: Argus, encounter: dict[str, Any], tmp_path: Path) -> None:
    wanted: Any = {"kind": "export.bulk", "payload": {"data": "encounters", "format": "ndjson"}}
    started = argus.jobs.start(wanted, idempotency_key=new_idempotency_key())
    assert argus.jobs.wait(started["id"], poll_s=POLL_S, limit_s=60)["progress_pct"] == 100
    argus.jobs.download_result(started["id"], tmp_path / "encounters.ndjson")
    rows = [json.loads(line) for line in (tmp_path / "encounters.ndjson").read_text().splitlines()]
    assert encounter["id"] in {row["id"] for row in rows}
    assert [path.name for path in tmp_path.iterdir()] == ["encounters.ndjson"]
    assert started["id"] in {job["id"] for job in argus.jobs.list(kind="export.bulk")}
    with pytest.raises(ApiError) as ended:
        argus.jobs.cancel(started["id"])
    assert ended.value.status == 409


@pytest.mark.contract("C-108")
def test_fhir_bundle_is_downloaded(argus: Argus, encounter: dict[str, Any], tmp_path: Path) -> None:
    (file,) = argus.encounters.download_fhir(encounter["id"], tmp_path)
    bundle = json.loads(file.read_text())
    assert (bundle["resourceType"], bundle["type"]) == ("Bundle", "transaction")
    assert "Observation" in {entry["resource"]["resourceType"] for entry in bundle["entry"]}


@pytest.mark.contract("C-234", "C-235")
def test_transcript_of_the_cloud_is_verified_locally(argus: Argus, encounter: dict[str, Any]) -> None:
    evidence_id = argus.encounters.read(encounter["id"])["evidence_id"]
    assert evidence_id is not None
    transcript, keys = argus.evidence.transcript(evidence_id), argus.evidence.keys()
    found = evidence.verify_provenance_local(transcript, keys, evidence_id=evidence_id)
    assert found.outcome == "intact"
    document = argus.evidence.transcript(evidence_id, format="jsonld")
    assert evidence.verify_provenance_local(document, keys).graph_matches
    assert argus.evidence.verify(evidence_id, transcript)["valid"]
    changed = transcript.replace(b'"actor_id":"', b'"actor_id":"x', 1)
    assert evidence.verify_provenance_local(changed, keys).outcome == "broken"
    secret = argus.evidence.transcript(evidence_id, algorithm="hmac-sha256")
    assert evidence.verify_provenance_local(secret, keys).outcome == "unverifiable"


@pytest.mark.contract("C-074", "C-083")
def test_webhook_is_created_listed_changed_and_deleted(argus: Argus) -> None:
    made = argus.webhooks.create({"url": "https://93.184.216.34/hook", "events": ["incident.updated"]})
    assert made["id"] in {one["id"] for one in argus.webhooks.list(limit=1)}
    assert argus.webhooks.update(made["id"], {"events": ["incident.closed"]})["events"] == ["incident.closed"]
    argus.webhooks.delete(made["id"])
    assert made["id"] not in {one["id"] for one in argus.webhooks.list()}
