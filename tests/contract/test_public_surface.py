"""The public addresses: each host's root leads to the docs, and each error type has a documentation page.

Error responses name the invalid field or parameter.
"""

from typing import Any

import httpx
import pytest

from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud

SPO2 = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}


@pytest.fixture(scope="module")
def document(cloud: RunningCloud) -> dict[str, Any]:
    with cloud.client() as client:
        found: dict[str, Any] = client.get("/.well-known/openapi.json").json()
    return found


@pytest.fixture(scope="module")
def observations(cloud: RunningCloud) -> str:
    with cloud.client("north") as client:
        made = client.post(
            "/api/v1/devices/enrol",
            json={"serial_number": "SURFACE-1", "device_class": "multiparameter", "manufacturer": "ACME"},
        )
    return f"/api/v1/devices/{made.json()['id']}/observations"


@pytest.mark.parametrize("host", ["auth", "api", "sandbox", "docs"])
@pytest.mark.parametrize(
    ("accept", "language", "path"),
    [
        ("*/*", "pl", "/api/docs"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "pl-PL,pl;q=0.9,en;q=0.8", "/pl/docs"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "de", "/en/docs"),
    ],
)
def test_root_of_each_host_leads_a_browser_to_the_docs_in_its_language_and_a_program_to_the_index(
    cloud: RunningCloud, host: str, accept: str, language: str, path: str
) -> None:
    with cloud.client(host=host) as client:
        root = client.get("/", headers={"Accept": accept, "Accept-Language": language})
    assert (root.status_code, root.headers["Location"]) == (302, cloud.urls["docs"] + path)
    assert root.headers["Vary"] == "Accept, Accept-Language"
    assert httpx.get(root.headers["Location"], trust_env=False, verify=PLAIN, timeout=WITHIN_S).status_code == 200


@pytest.mark.contract("A-001")
@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "client_credentials"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"grant_type": "client_credentials", "scope": "webhook:write"}, "invalid_scope"),
        ({"grant_type": "authorization_code", "code": "unknown"}, "unauthorized_client"),
    ],
)
def test_error_uri_of_a_token_endpoint_error_returns_the_page_of_that_error(
    cloud: RunningCloud, form: dict[str, str], error: str
) -> None:
    app = cloud.apps["north"]
    credentials = {} if error == "invalid_client" else {"client_id": app.client_id, "client_secret": app.client_secret}
    with cloud.client(host="auth") as client:
        answer = client.post("/v1/oauth/token", data={**form, **credentials}).json()
    assert answer["error"] == error
    page = httpx.get(answer["error_uri"], trust_env=False, verify=PLAIN, timeout=WITHIN_S)
    assert (page.status_code, page.json()["code"]) == (200, error)
    if error == "invalid_scope":
        assert "'webhook:write'" in answer["error_description"]
        assert "Did you mean webhooks:write?" in answer["error_description"]


@pytest.mark.contract("C-005", "A-001")
def test_list_of_problems_omits_internal_problem_codes(cloud: RunningCloud) -> None:
    with cloud.client() as client:
        kinds = {kind["code"] for kind in client.get("/problems").json()["problems"]}
    assert not kinds & {"database_foreign", "master_key_absent", "lease_lost", "gateway_taken", "user_unknown"}


@pytest.mark.contract("C-053", "A-046", "C-035")
def test_openapi_document_describes_the_authorization_code_flow_and_the_if_match_header(
    document: dict[str, Any],
) -> None:
    flows = document["components"]["securitySchemes"]["oauth2"]["flows"]
    assert flows["authorizationCode"]["authorizationUrl"].endswith("/v1/oauth/authorize")
    assert flows["authorizationCode"]["scopes"] == flows["clientCredentials"]["scopes"]
    described = 0
    for item in document["paths"].values():
        for operation in item.values():
            if isinstance(operation, dict) and "412" in operation.get("responses", {}):
                described += 1
                assert {"$ref": "#/components/parameters/If-Match"} in operation["parameters"]
    assert described >= 2


@pytest.mark.contract("A-105")
@pytest.mark.parametrize(
    ("change", "code", "pointer", "near"),
    [
        ({"unit_code": "mmHg", "mdc_code": "MDC_PRESS_BLD_NONINV_SYS"}, "unit_code_malformed", "/unit_code", "mm[Hg]"),
        ({"unit_code": "kPa"}, "unit_code_mismatch", "/unit_code", "%"),
        ({"mdc_code": "mdc_puls_oxim_sat_o2"}, "mdc_code_malformed", "/mdc_code", "MDC_PULS_OXIM_SAT_O2"),
        ({"valu": 1}, "invalid_body", "/valu", "value"),
        ({"value": "98"}, "invalid_body", "/value", None),
    ],
)
def test_error_response_points_to_the_invalid_field_and_suggests_a_valid_value(
    cloud: RunningCloud, observations: str, change: dict[str, Any], code: str, pointer: str, near: str | None
) -> None:
    with cloud.client("north") as client:
        problem = client.post(observations, json={**SPO2, **change}).json()
    assert problem["code"] == code
    (error,) = problem["errors"]
    assert (error["pointer"], error.get("did_you_mean")) == (pointer, near)
    assert near is None or f"Did you mean {near}?" in problem["detail"]


def test_error_response_names_the_invalid_query_parameter(cloud: RunningCloud) -> None:
    with cloud.client("north") as client:
        problem = client.get("/api/v1/devices?limt=5").json()
    assert problem["errors"] == [
        {"detail": "there is no such field", "parameter": "limt", "did_you_mean": "limit"},
    ]


def test_observation_with_unknown_code_or_implausible_value_is_stored_with_a_flag(
    cloud: RunningCloud, observations: str
) -> None:
    with cloud.client("north") as client:
        typo = client.post(observations, json={**SPO2, "mdc_code": "MDC_PULS_OXIM_SAT_02"})
        beyond = client.post(observations, json={**SPO2, "value": 980.0})
        plain = client.post(observations, json=SPO2)
    assert (typo.status_code, typo.json()["flags"]) == (201, ["mdc_code_unknown"])
    assert typo.json()["did_you_mean"] == "MDC_PULS_OXIM_SAT_O2"
    assert (beyond.status_code, beyond.json()["flags"]) == (201, ["implausible_value"])
    assert plain.json()["flags"] == []
    assert "did_you_mean" not in plain.json()
