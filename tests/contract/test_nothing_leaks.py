"""Patient data, secrets and tokens never appear in a log line, a span, an audit entry or an error response.

Canaries (unmistakable texts) are sent wherever a client can put a text: paths, queries, headers, valid and invalid
bodies, forms, credentials. Then everything that the cloud wrote is searched. The fixture of all contract tests searches
again after the last test.
"""

import json
from typing import Any

import httpx
import pytest

from tests.builders.contract_canaries import CANARIES, found_in
from tests.harness.bare_socket import exchange, request
from tests.harness.eventually import WITHIN_S, until
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud

DEVICES, ENROL, ENCOUNTERS = "/api/v1/devices", "/api/v1/devices/enrol", "/api/v1/epcr/encounters"


def requests_with(canary: str) -> list[dict[str, Any]]:
    """Return one request for every place that takes a text, with the canary there. Most requests get an error response,
    which must not contain the canary."""
    quoted = json.dumps(canary)
    header = canary.encode()
    return [
        {"method": "GET", "url": f"/{canary}"},
        {"method": "GET", "url": DEVICES, "params": {"vehicle_id": canary}},
        {"method": "GET", "url": DEVICES, "params": {"cursor": canary}},
        {"method": "GET", "url": DEVICES, "params": {"limit": canary}},
        {"method": "GET", "url": f"{ENCOUNTERS}/{canary}"},
        {"method": "GET", "url": DEVICES, "headers": {"traceparent": header, "X-Tenant-ID": header}},
        {"method": "POST", "url": ENCOUNTERS, "json": {"care_model": canary}},
        {"method": "POST", "url": ENCOUNTERS, "json": {"care_model": "prehospital_emergency", "vehicle_id": canary}},
        {"method": "POST", "url": ENCOUNTERS, "json": {"care_model": "prehospital_emergency", "crew_ids": [canary]}},
        {
            "method": "POST",
            "url": ENCOUNTERS,
            "json": {"care_model": "prehospital_emergency"},
            "headers": {"Idempotency-Key": header},
        },
        {"method": "POST", "url": ENROL, "json": {"serial_number": "SN-1", "device_class": canary}},
        {"method": "POST", "url": ENROL, "content": f'{{"serial_number": {quoted}'},
        {"method": "POST", "url": ENROL, "content": f"{{{quoted}: 1, {quoted}: 2}}"},
        {"method": "POST", "url": ENROL, "content": quoted, "headers": {"Content-Type": "application/json"}},
        {"method": "POST", "url": ENROL, "content": canary, "headers": {"Content-Type": header}},
        {
            "method": "POST",
            "url": f"{DEVICES}/{canary}/observations",
            "json": {"mdc_code": canary, "value": 1, "unit_code": canary},
        },
    ]


@pytest.mark.contract("S-150", "A-107")
@pytest.mark.parametrize("what", CANARIES)
def test_error_response_does_not_repeat_the_text_of_the_request(cloud: RunningCloud, what: str) -> None:
    canary = CANARIES[what]
    with cloud.client("north") as client:
        for sent in requests_with(canary):
            answer = client.request(**sent)
            assert answer.status_code < 500, sent
            if answer.status_code >= 400:
                document = {**answer.json(), "instance": ""}  # the requested address, which the client knows
                assert found_in(json.dumps(document)) == [], sent


@pytest.mark.parametrize("what", ["password", "name", "narrative"])
def test_error_response_does_not_repeat_wrong_credentials(cloud: RunningCloud, what: str) -> None:
    canary = CANARIES[what]
    token_url = f"{cloud.urls['auth']}/v1/oauth/token"
    with cloud.client(host="auth") as client:
        for sent in (
            {"data": {"grant_type": canary, "client_id": canary, "client_secret": canary, "scope": canary}},
            {"data": {"grant_type": "client_credentials"}, "auth": (canary, canary)},
            {"data": {canary: canary}},
            {"data": {"grant_type": "client_credentials"}, "headers": {"Authorization": f"Basic {canary}".encode()}},
        ):
            answer = client.post(token_url, **sent)  # type: ignore[arg-type]  # keyword arguments of several kinds
            assert 400 <= answer.status_code < 500
            assert found_in(answer.text) == []
    with cloud.client() as client:
        answer = client.get(DEVICES, headers={"Authorization": f"Bearer {canary}".encode()})
        assert answer.status_code == 401
    refused = exchange(cloud.ports["api"], request("GET", "/", f"X-Note : {canary}".encode().decode("latin-1")))
    assert found_in(refused.body.decode()) == []


@pytest.mark.contract("S-150")
def test_text_of_requests_does_not_appear_in_logs_spans_audit_entries_or_errors(cloud: RunningCloud) -> None:
    with cloud.client("north") as client:
        for canary in CANARIES.values():
            for sent in requests_with(canary):
                client.request(**sent)
        trace_id = client.get(DEVICES).headers["X-Argus-Trace-ID"]
    # Spans are written once a second.
    until(lambda: trace_id in {row["trace_id"] for row in cloud.table("spans")})
    assert cloud.leaks() == []
    assert len(cloud.table("spans")) > len(CANARIES)


def test_leak_search_finds_request_text_and_tokens_that_a_response_contains(cloud: RunningCloud) -> None:
    assert found_in(f"GET /x?name={CANARIES['name']}") == ["name"]
    assert "street" in found_in(json.dumps(CANARIES["street"]))
    token = cloud.token("north")
    cloud.error_bodies.append(token)
    assert cloud.leaks() == [
        f"a secret of {len(token)} characters in refusals",
        "something like a JWT in refusals",
    ]
    cloud.error_bodies.clear()


@pytest.mark.contract("C-012")
def test_metric_labels_contain_route_templates_and_no_requested_path(cloud: RunningCloud) -> None:
    with cloud.client("north") as client:
        device_id = client.post(
            ENROL, json={"serial_number": "SN-FIG", "device_class": "bp", "manufacturer": "Synthetic"}
        ).json()["id"]
        client.get(f"/{CANARIES['name']}")
        client.post(f"{DEVICES}/{device_id}/observations", json={})
    text = httpx.get(cloud.metrics_url, trust_env=False, verify=PLAIN, timeout=WITHIN_S).text
    assert 'argus_http_requests_total{host="api",method="GET",route="/api/v1/devices",status="200"}' in text
    assert 'route="/api/v1/devices/{deviceId}/observations"' in text
    assert device_id not in text
    assert found_in(text) == []
