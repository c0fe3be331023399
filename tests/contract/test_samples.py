"""Each curl sample of the contract is sent to a running cloud, and the response has every field of the sample response.

Only hosts, tokens, ids, the idempotency key and the status of listed jobs are replaced. The served OpenAPI document
decides which samples are replayed, so a new operation is replayed at once.
"""

import json
from typing import Any

import httpx
import pytest

from tests.builders.contract_samples import Sample, SampleRequest, samples, shape_faults
from tests.cloud.jobs.isolation import start
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud
from tests.harness.sample_values import JOB, sample_values

FIRST_SURFACE = {
    ("GET", "/v1/platform/scopes"),
    ("GET", "/v1/platform/apps"),
    ("POST", "/v1/platform/apps"),
    ("GET", "/v1/platform/apps/{client_id}"),
    ("PATCH", "/v1/platform/apps/{client_id}/governance"),
    ("POST", "/v1/platform/apps/{client_id}/service-token"),
    ("POST", "/v1/platform/apps/{client_id}/rotate-secret"),
    ("POST", "/v1/webhooks"),
    ("GET", "/v1/webhooks"),
    ("GET", "/v1/webhooks/{webhook_id}"),
    ("PUT", "/v1/webhooks/{webhook_id}"),
    ("DELETE", "/v1/webhooks/{webhook_id}"),
    ("GET", "/v1/webhooks/{webhook_id}/deliveries"),
    ("POST", "/v1/webhooks/{webhook_id}/test"),
    ("GET", "/v1/oauth/authorize"),
    ("POST", "/v1/oauth/token"),
    ("GET", "/.well-known/jwks.json"),
    ("GET", "/v1/auth/jwks.json"),
    ("GET", "/api/v1/epcr/encounters/{encounterId}"),
    ("GET", "/api/v1/epcr/encounters/{encounterId}/fhir-bundle"),
    ("POST", "/api/v1/epcr/encounters"),
    ("GET", "/api/v1/devices"),
    ("POST", "/api/v1/devices/enrol"),
    ("POST", "/api/v1/devices/{deviceId}/observations"),
    ("GET", "/.well-known/openapi.json"),
    ("GET", "/.well-known/openapi.yaml"),
    ("GET", "/.well-known/api-catalog"),
    ("GET", "/v1/discovery/data-schemas"),
    ("POST", "/v1/jobs"),
    ("GET", "/v1/jobs"),
    ("GET", "/v1/jobs/{id}"),
    ("DELETE", "/v1/jobs/{id}"),
    ("GET", "/v1/jobs/{id}/result"),
    ("GET", "/v1/observability/traces/{trace_id}"),
    ("GET", "/v1/evidence/{evidence_id}/provenance"),
    ("POST", "/v1/evidence/{evidence_id}/provenance/verify"),
    ("GET", "/.well-known/provenance-keys/{algorithm}"),
}
"""The least that must be there."""

ADDED = {
    ("GET", "/api/v1/epcr/encounters"),
    ("GET", "/api/v1/epcr/encounters/{encounterId}/observations"),
    ("GET", "/api/v1/epcr/encounters/{encounterId}/waveforms"),
    ("GET", "/api/v1/epcr/encounters/{encounterId}/timeline"),
    ("GET", "/.well-known/schemas/{id}.json"),
}
"""Operations that are added to the contract (`docs/deviations.md`)."""


@pytest.fixture(scope="module")
def document(cloud: RunningCloud) -> dict[str, Any]:
    with cloud.client() as client:
        found: dict[str, Any] = client.get("/.well-known/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def replaced(cloud: RunningCloud) -> dict[str, str]:
    return sample_values(cloud)


def documented(document: dict[str, Any]) -> list[Sample]:
    """Return the samples whose operations are in the served OpenAPI document."""
    return [
        one for one in samples() if one.request and one.request.method.lower() in document["paths"].get(one.path, ())
    ]


def send(cloud: RunningCloud, sample_request: SampleRequest, host_url: str, replaced: dict[str, str]) -> httpx.Response:
    def real(text: str) -> str:
        for shown, ours in replaced.items():
            text = text.replace(shown, ours)
        return text

    host = {"https://auth.knogin.com": "auth", "https://api.knogin.com": "api"}.get(host_url, "sandbox")
    return httpx.request(
        sample_request.method,
        cloud.urls[host] + real(sample_request.target),
        headers={name: real(value) for name, value in sample_request.headers.items()},
        content=None if sample_request.body is None else real(sample_request.body).encode(),
        trust_env=False,
        verify=PLAIN,
        timeout=30,
    )


@pytest.mark.contract(
    "C-001", "C-011", "C-061", "C-062", "C-070", "C-104", "C-105", "C-113", "C-114", "C-117", "C-119", "C-122", "C-123"
)
@pytest.mark.contract("C-125", "C-128", "C-211", "C-229", "C-241")
def test_response_to_every_documented_sample_has_all_fields_of_the_sample(
    cloud: RunningCloud, document: dict[str, Any], replaced: dict[str, str]
) -> None:
    faults: dict[str, list[str]] = {}
    for sample in documented(document):
        assert sample.request is not None
        # A job that has ended can be fetched, and one that is open can be cancelled.
        other = {JOB: start(cloud, "north")} if sample.request.method == "DELETE" else {}
        answer = send(cloud, sample.request, sample.host_url, replaced | other)
        found = [] if answer.is_success else [f"answered {answer.status_code}: {answer.text[:300]}"]
        if answer.is_success and answer.content:
            found += _compared(sample, answer)
        if found:
            faults[f"{sample.request.method} {sample.path}"] = found
    assert faults == {}


def _compared(sample: Sample, answer: httpx.Response) -> list[str]:
    kind = answer.headers["Content-Type"].partition(";")[0]
    if kind == "application/yaml":
        return (
            [] if answer.text.startswith("openapi: 3.1.0\ninfo:\n  title: Argus External API\n") else ["another head"]
        )
    if kind not in ("application/json", "application/fhir+json", "application/linkset+json", "application/ld+json"):
        return [f"has the media type {kind}"]
    document = answer.json()
    if kind == "application/ld+json":  # the sample shows the transcript, which is inside ours (contract matrix A-111)
        document = document["@graph"][0]["argus:transcript"]["@value"]
    shown = sample.answer
    if "linkset" in shown:
        document["linkset"] = document["linkset"][: len(shown["linkset"])]  # ours has one more, with the endpoints
    if isinstance(document, dict) and document.get("next_cursor", "") is None:
        shown = {**shown, "next_cursor": None}  # the list of the sample has a further page, which ours has not
    return shape_faults(shown, document)


@pytest.mark.contract("C-007", "C-255")
def test_openapi_document_has_all_required_operations_and_only_operations_of_the_contract(
    document: dict[str, Any],
) -> None:
    contract = {(method, one.path) for one in samples() for method in one.methods}
    ours = {
        (method.upper(), path)
        for path, item in document["paths"].items()
        for method in item.keys() - {"servers", "parameters"}
    }
    assert ours >= FIRST_SURFACE
    assert ours - ADDED <= contract
    assert contract.isdisjoint(ADDED)


@pytest.mark.contract("C-008", "C-009", "C-010", "A-137")
def test_each_operation_has_the_host_and_auth_mode_and_audience_and_stability_of_the_contract(
    cloud: RunningCloud, document: dict[str, Any]
) -> None:
    names = {url: host for host, url in cloud.urls.items()}
    words = {
        "https://auth.knogin.com": "auth",
        "https://api.knogin.com": "api",
        "https://sandbox-api.knogin.com": "sandbox",
    }
    for sample in documented(document):
        item = document["paths"][sample.path]
        servers = item.get("servers", document["servers"])
        assert words[sample.host_url] == names[servers[0]["url"]], sample.path
        for method in sample.methods:
            said = item.get(method.lower())
            if said is not None:
                shown = (said["x-auth"], said["x-audience"], said["x-stability"])
                assert shown == (sample.auth, sample.audience, sample.stability), sample.path


@pytest.mark.contract("C-010")
def test_examples_in_the_openapi_document_are_the_samples_of_the_contract(document: dict[str, Any]) -> None:
    for sample in documented(document):
        assert sample.request is not None
        said = document["paths"][sample.path][sample.request.method.lower()]
        if sample.request.body and sample.request.body.startswith("{"):
            example = said["requestBody"]["content"]["application/json"]["example"]
            assert example == json.loads(sample.request.body), sample.path
        if sample.answer_text.startswith(("{", "[")):
            answers = [one for status, one in said["responses"].items() if status.startswith("2") and "content" in one]
            examples = [media["example"] for one in answers for media in one["content"].values() if "example" in media]
            assert all(shape_faults(sample.answer, example) == [] for example in examples), sample.path
            assert examples, sample.path
