"""Objects of a running cloud to which the samples of the contract and of the documentation refer."""

import uuid

from tests.harness.eventually import until
from tests.harness.running_cloud import App, RunningCloud

TRACE = "0af7651916cd43dd8448eb211c80319c"
"""The trace of the samples."""
JOB = "01HFXY..."
"""The id of the job in the samples."""


def sample_values(cloud: RunningCloud) -> dict[str, str]:
    """Create the objects that the samples refer to; return a map from texts in the samples to the real texts."""
    app = cloud.apps["north"]
    with cloud.client("north") as client:
        device = client.post(
            "/api/v1/devices/enrol",
            headers={"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"},
            json={
                "serial_number": "SN-0001",
                "device_class": "defib",
                "manufacturer": "ACME",
                "vehicle_id": "AMB-42",
            },
        )
        encounter = client.post(
            "/api/v1/epcr/encounters", json={"care_model": "prehospital_emergency", "vehicle_id": "AMB-42"}
        )
        summary = client.get(f"/api/v1/epcr/encounters/{encounter.json()['id']}").json()
        transcript = client.get(f"/v1/evidence/{summary['evidence_id']}/provenance")
    with cloud.client("north", "auth") as client:
        webhook = client.post(
            "/v1/webhooks",
            json={"url": "https://integrator.example/webhooks/argus", "events": ["incident.updated"]},
        )
        assert webhook.is_success, webhook.text
        webhook_id = webhook.json()["id"]
        client.post(f"/v1/webhooks/{webhook_id}/test").raise_for_status()  # so that there is a delivery to show
    assert device.is_success, device.text
    assert encounter.is_success, encounter.text
    assert transcript.is_success, transcript.text
    token = cloud.token("north")
    return {
        "app_123": app.client_id,
        "<client-secret>": app.client_secret,
        "<access-token>": token,
        "<admin-access-token>": token,
        "$TOKEN": token,
        "<tenant-id>": app.tenant_id,
        "<signing-secret>": "a signing secret for the samples",
        "wh_123": webhook_id,
        "dev_1": device.json()["id"],
        "enc_123": encounter.json()["id"],
        "ev_abc123": summary["evidence_id"],
        '{ "...": "<full transcript object from GET /provenance>" }': transcript.text,
        "<approved GraphQL document>": approved_document(cloud, app),
        "status=running": "status=succeeded",  # a job that runs ends too soon
        # Schemathesis sends this key too, since it is the example of the header.
        "8b9d8a2e-4a8c-4a7e-8a2e-4a8c4a7e8a2e": str(uuid.uuid4()),
        JOB: finished_job(cloud),
    }


def approved_document(cloud: RunningCloud, app: App) -> str:
    """Grant a document with the response of the sample to an app, and return it."""
    text = "{ result: __typename }"
    file = cloud.config.parent / "sample.graphql"
    file.write_text(text)
    cloud.console("bundles", "add", "samples", "--version", "1", str(file))
    cloud.console("bundles", "grant", app.client_id, "samples", "--version", "1", "--tenant", app.tenant_id)
    return text


def finished_job(cloud: RunningCloud) -> str:
    """Run the job of the samples, without its call-back, to its end; return its id."""
    with cloud.client("north") as client:
        body = {"kind": "intelligence.enrich.bulk", "payload": {"profile_ids": ["p1", "p2"]}}
        made = client.post("/v1/jobs", json=body)
        assert made.is_success, made.text
        path = f"/v1/jobs/{made.json()['id']}"
        until(lambda: client.get(path).json()["status"] == "succeeded", within_s=60)
    return str(made.json()["id"])
