"""The OpenAPI document describes every public route as the route declares itself, and contains nothing internal."""

from typing import Any

import pytest
from pydantic import BaseModel

from cloud.foundation.http import Host, Paged, Response
from cloud.partners.discovery import RowsDisagree, contract_document
from tests.builders.contract_rows import MAKING, PRODUCTION, SCOPES, row, rows


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return contract_document(rows(), PRODUCTION, SCOPES)


def operation(document: dict[str, Any], method: str, path: str) -> dict[str, Any]:
    found: dict[str, Any] = document["paths"][path][method]
    return found


def test_openapi_document_is_valid(document: dict[str, Any]) -> None:
    from openapi_spec_validator import OpenAPIV31SpecValidator  # slow, and every worker imports this file

    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


@pytest.mark.contract("C-014", "C-255", "A-139")
def test_openapi_document_has_the_title_and_version_and_server_url_of_the_contract(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    assert (document["info"]["title"], document["info"]["version"]) == ("Argus External API", "2026.4.0")
    assert document["servers"] == [{"url": "https://api.knogin.com", "x-internal": False}]


@pytest.mark.contract("C-008", "C-009", "C-010", "C-014")
def test_each_operation_states_its_auth_mode_and_audience_and_stability_and_first_version(
    document: dict[str, Any],
) -> None:
    for item in document["paths"].values():
        for method in item.keys() - {"servers", "parameters"}:
            said = item[method]
            assert said["x-auth"] in {"Public", "Bearer token", "OAuth auth code or client credentials"}
            assert said["x-audience"] == "external-integrators"
            assert said["x-stability"] == "stable"
            assert said["x-added-in"] in {"v2026.2", "v2026.4"}


@pytest.mark.contract("A-137")
def test_openapi_path_lists_its_servers_unless_it_is_served_only_by_the_api_host(document: dict[str, Any]) -> None:
    paths = document["paths"]
    assert paths["/v1/oauth/token"]["servers"] == [{"url": "https://auth.knogin.com", "x-internal": False}]
    assert "servers" not in paths["/api/v1/gadgets"]
    assert [server["url"] for server in paths["/api/v1/gadgets/{gadgetId}"]["servers"]] == [
        "https://api.knogin.com",
        "https://sandbox-api.knogin.com",
    ]


def test_operation_that_accepts_any_of_several_scopes_lists_each_as_an_alternative(document: dict[str, Any]) -> None:
    assert operation(document, "get", "/api/v1/gadgets")["security"] == [
        {"oauth2": ["argus:devices:read"]},
        {"oauth2": ["argus:devices:write"]},
    ]
    assert operation(document, "post", "/v1/oauth/token")["security"] == [{"clientBasic": []}, {}]
    assert operation(document, "get", "/.well-known/openapi.json")["security"] == []


def test_query_parameters_in_the_openapi_document_are_optional_and_not_nullable(document: dict[str, Any]) -> None:
    parameters = {one["name"]: one for one in operation(document, "get", "/api/v1/gadgets")["parameters"]}
    assert set(parameters) == {"limit", "cursor", "vehicle_id"}
    assert parameters["vehicle_id"]["schema"] == {"type": "string", "maxLength": 64}
    assert not any(one["required"] for one in parameters.values())


def test_operation_lists_every_status_that_its_route_can_return(document: dict[str, Any]) -> None:
    responses = operation(document, "post", "/api/v1/gadgets")["responses"]
    assert {"200", "201", "400", "401", "403", "409", "413", "415", "422", "429", "503", "default"} <= set(responses)
    assert "Location" in responses["201"]["headers"]
    assert responses["409"]["description"] == "It was retired."
    assert "404" not in responses
    oauth = operation(document, "post", "/v1/oauth/token")["responses"]
    assert oauth["401"]["content"] == {"application/json": {"schema": {"$ref": "#/components/schemas/OAuthError"}}}


def test_operation_lists_the_error_codes_that_follow_from_its_route_and_those_of_its_handler() -> None:
    listed = row(query=Paged, errors=("not_found", "internal_error"), needs_organization=True)
    codes = operation(contract_document((listed,), PRODUCTION, SCOPES), "get", "/api/v1/gadgets")["x-problem-codes"]
    assert {"invalid_cursor", "invalid_query"} <= set(codes["400"])
    assert {"insufficient_scope", "organization_required", "tenant_mismatch"} <= set(codes["403"])
    assert (codes["404"], codes["500"]) == (["not_found"], ["internal_error"])
    assert not {"409", "413", "415"} & codes.keys()


def test_oauth_endpoint_lists_a_code_for_each_of_its_error_statuses(document: dict[str, Any]) -> None:
    listed = operation(document, "post", "/v1/oauth/token")
    codes = listed["x-problem-codes"]
    assert set(codes) == {status for status in listed["responses"] if status.isdecimal() and status >= "400"}
    assert (codes["415"], codes["429"]) == (["invalid_request"], ["temporarily_unavailable"])


def test_endpoint_with_pages_lists_the_codes_of_its_redirect() -> None:
    listed = row(refusal_page=lambda *_: Response(400), errors=("access_denied",), responses={302: "Redirect."})
    found = operation(contract_document((listed,), PRODUCTION, SCOPES), "get", "/api/v1/gadgets")
    assert found["x-problem-codes"] == {"302": ["access_denied"]}


def test_error_code_without_a_public_problem_type_is_refused() -> None:
    with pytest.raises(RowsDisagree, match="tenant_unknown"):
        contract_document((row(errors=("tenant_unknown",)),), PRODUCTION, SCOPES)


@pytest.mark.contract("C-012")
def test_every_response_in_the_openapi_document_declares_the_trace_headers(document: dict[str, Any]) -> None:
    for item in document["paths"].values():
        for method in item.keys() - {"servers", "parameters"}:
            for response in item[method]["responses"].values():
                if "$ref" in response:
                    response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
                assert {"X-Argus-Trace-ID", "X-Argus-Span-ID"} <= set(response["headers"])


def test_operations_declare_the_request_headers_idempotency_key_and_if_none_match(
    document: dict[str, Any],
) -> None:
    assert {"$ref": "#/components/parameters/Idempotency-Key"} in operation(document, "post", "/api/v1/gadgets")[
        "parameters"
    ]
    well_known = operation(document, "get", "/.well-known/openapi.json")
    assert {"$ref": "#/components/parameters/If-None-Match"} in well_known["parameters"]
    assert "content" not in well_known["responses"]["304"]


def test_deprecated_operation_states_its_deprecation_and_sunset_dates(document: dict[str, Any]) -> None:
    said = operation(document, "post", "/api/v1/gadgets")
    assert (said["deprecated"], said["x-deprecated-on"], said["x-sunset-on"]) == (True, "2026-03-01", "2027-03-01")


def test_samples_declared_for_a_route_are_the_examples_of_its_openapi_operation(document: dict[str, Any]) -> None:
    said = operation(document, "post", "/api/v1/gadgets")
    assert said["requestBody"]["content"]["application/json"]["example"] == MAKING.request_example
    assert said["responses"]["201"]["content"]["application/json"]["example"] == MAKING.response_example


def test_operation_ids_are_unique_and_alphanumeric(document: dict[str, Any]) -> None:
    ids = [
        item[method]["operationId"]
        for item in document["paths"].values()
        for method in item.keys() - {"servers", "parameters"}
    ]
    assert len(set(ids)) == len(ids)
    assert all(one.isalnum() for one in ids)


@pytest.mark.contract("C-005", "C-253")
def test_internal_route_is_omitted_from_the_openapi_document_even_when_declared_public(
    document: dict[str, Any],
) -> None:
    assert not {"/v1/oauth/revoke", "/health/live", "/api/v1/platform/{rest*}"} & set(document["paths"])
    forgetful = row(path="/internal/gadgets", in_contract=True)
    assert "/internal/gadgets" not in contract_document((*rows(), forgetful), PRODUCTION, SCOPES)["paths"]


def test_contradictory_route_declarations_raise_an_error() -> None:
    with pytest.raises(RowsDisagree, match="two rows"):
        contract_document((row(), row()), PRODUCTION, SCOPES)
    with pytest.raises(RowsDisagree, match="different hosts"):
        contract_document((row(), row(method="POST", host=(Host.API, Host.SANDBOX))), PRODUCTION, SCOPES)
    with pytest.raises(RowsDisagree, match="catalogue does not have"):
        contract_document((row(),), PRODUCTION, {})


def test_two_body_models_with_the_same_name_are_refused() -> None:
    def model(number: type) -> type[BaseModel]:
        return type("Twin", (BaseModel,), {"__annotations__": {"n": number}, "__module__": f"hidden_{number.__name__}"})

    twins = (
        row(path="/api/v1/a", response=model(int), operation_id="a"),
        row(path="/api/v1/b", response=model(str), operation_id="b"),
    )
    with pytest.raises(ValueError, match="same name"):
        contract_document(twins, PRODUCTION, SCOPES)
