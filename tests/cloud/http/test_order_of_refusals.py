"""Requests are checked in a fixed order, so that no error reveals more than the caller may know (contract A-005)."""

from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel, ConfigDict

from cloud.foundation.errors import DomainError
from cloud.foundation.http import (
    ANY_TOKEN,
    CLIENT_AUTHENTICATED,
    BodyKind,
    Host,
    Json,
    OAuthError,
    Request,
    Response,
    Scopes,
)
from tests.builders.http_client import GOOD, Client, client_of
from tests.builders.http_surface import KnownTokens, caller, route, surface

READ = Scopes.any_of("read")
WRITE = Scopes.any_of("write", "admin")


class Thing(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    name: str


class ThingUnknown(DomainError):
    """There is no such thing."""

    code = "thing_unknown"
    status = 404


async def lookup(request: Request) -> Response:
    if request.path["id"] != "one":
        raise ThingUnknown
    return Json({"id": "one"})


async def token(request: Request) -> Response:
    if request.headers.get("X-Crash"):
        raise RuntimeError("synthetic-secret")
    raise OAuthError("invalid_client", status=401)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    tokens = KnownTokens(
        {
            "good": caller(),
            "nowhere": caller(organization=None),
            "sandbox": caller(use="sandbox"),
            "writer": caller(scopes=("read", "write")),
        }
    )
    routes = (
        route("/things/{id}", lookup, scopes=READ),
        route("/things/{id}", lookup, scopes=WRITE, method="POST", body=Thing),
        route("/ours", scopes=ANY_TOKEN, needs_organization=True),
        route("/public"),
        route(
            "/token", token, method="POST", scopes=CLIENT_AUTHENTICATED, body=Thing, body_kind=BodyKind.FORM,
            oauth_errors=True,
        ),
    )  # fmt: skip
    async with surface(*routes, tokens=tokens) as served, client_of(served) as asked:
        yield asked


@pytest.mark.contract("A-005", "C-008", "A-001")
async def test_request_with_several_faults_is_refused_for_the_first_fault_in_a_fixed_order(client: Client) -> None:
    body = b"{not json"
    steps = [
        ("/nothing", "POST", "", 404, "not_found"),
        ("/things/two", "DELETE", "", 405, "method_not_allowed"),
        ("/things/two?x=1", "POST", "", 401, "token_missing"),
        ("/things/two?x=1", "POST", "Bearer wrong", 401, "invalid_token"),
        ("/things/two?x=1", "POST", "Bearer sandbox", 403, "wrong_environment"),
        ("/things/two?x=1", "POST", "Bearer good", 403, "insufficient_scope"),
        ("/things/two?x=1", "POST", "Bearer writer", 400, "invalid_query"),
        ("/things/two", "POST", "Bearer writer", 415, "unsupported_media_type"),
    ]
    for path, method, authorization, status, code in steps:
        headers = {"Authorization": authorization} if authorization else {}
        told = await client.ask(path, method, headers=headers, data=body)
        assert (told.status, told.code) == (status, code), path
        assert told.headers["Content-Type"] == "application/problem+json"
        assert told.document["type"] == f"https://api.example.org/problems/{code.replace('_', '-')}"
        assert told.document["trace_id"] == told.headers["X-Argus-Trace-ID"]
        assert told.document["instance"] == path.partition("?")[0]
        assert told.document["status"] == status
    writer = {"Authorization": "Bearer writer", "Content-Type": "application/json"}
    assert (await client.ask("/things/two", "POST", headers=writer, data=body)).code == "invalid_body"
    assert (await client.ask("/things/two", "POST", headers=writer, json={"name": "x"})).code == "thing_unknown"


@pytest.mark.contract("A-005")
async def test_response_that_refuses_a_token_has_a_www_authenticate_header(client: Client) -> None:
    missing = await client.ask("/ours")
    assert missing.headers["WWW-Authenticate"] == 'Bearer realm="argus"'
    wrong = await client.ask("/ours", headers={"Authorization": "Bearer wrong"})
    assert 'error="invalid_token"' in wrong.headers["WWW-Authenticate"]
    scope = await client.ask("/things/one", "POST", headers=GOOD, json={"name": "x"})
    assert 'error="insufficient_scope", scope="admin write"' in scope.headers["WWW-Authenticate"]


@pytest.mark.contract("A-013")
async def test_token_without_an_organisation_is_refused_by_a_route_that_requires_an_organisation(
    client: Client,
) -> None:
    told = await client.ask("/ours", headers={"Authorization": "Bearer nowhere"})
    assert (told.status, told.code) == (403, "organization_required")
    assert (await client.ask("/ours", headers=GOOD)).status == 200


@pytest.mark.contract("S-052", "S-053")
async def test_bearer_token_is_accepted_only_in_a_single_authorization_header(client: Client) -> None:
    twice = [("Authorization", "Bearer good"), ("Authorization", "Bearer good")]
    assert (await client.ask("/ours", headers=twice)).code == "invalid_header"
    assert (await client.ask("/ours?access_token=good")).status == 401
    assert (await client.ask("/ours", headers={"Authorization": "bEARER good"})).status == 200
    assert (await client.ask("/ours", headers={"Authorization": "Basic good"})).status == 401
    assert (await client.ask("/ours", headers={"Authorization": "Bearer " + "a" * 8000})).status == 401


@pytest.mark.contract("S-064", "A-087")
async def test_tenant_header_that_differs_from_the_tenant_of_the_token_is_refused(client: Client) -> None:
    told = await client.ask("/ours", headers={**GOOD, "X-Tenant-ID": "tnt_south"})
    assert (told.status, told.code) == (403, "tenant_mismatch")
    assert (await client.ask("/ours", headers={**GOOD, "X-Tenant-ID": "tnt_north"})).status == 200


@pytest.mark.contract("A-015", "A-006", "S-060")
async def test_malformed_id_gets_the_same_404_as_an_unknown_id(client: Client) -> None:
    absent = await client.ask("/things/absent", headers=GOOD)
    for odd in ("a%00b", "..%2f..%2fetc", "%F0%9F%9A%91", "a" * 65, "a%20b", "'--"):
        told = await client.ask(f"/things/{odd}", headers=GOOD)
        assert told.status == 404
        same = {**told.document, "trace_id": "", "instance": ""}
        assert same == {**absent.document, "trace_id": "", "instance": ""}


@pytest.mark.contract("S-176")
async def test_request_with_an_unsupported_method_gets_405_with_the_allowed_methods(client: Client) -> None:
    for method in ("TRACE", "DELETE", "PATCH", "OPTIONS", "PROPFIND"):
        told = await client.ask("/things/one", method)
        assert (told.status, told.headers["Allow"]) == (405, "GET, HEAD, POST")
    override = {**GOOD, "X-HTTP-Method-Override": "DELETE"}
    assert (await client.ask("/things/one", headers=override)).status == 200


@pytest.mark.contract("A-001", "S-021")
async def test_oauth_routes_return_the_error_codes_of_rfc_6749(client: Client) -> None:
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    told = await client.ask("/token", "POST", headers=form, data=b"name=x")
    assert (told.status, told.document["error"]) == (401, "invalid_client")
    assert told.headers["Cache-Control"] == "no-store"
    told = await client.ask("/token", "POST", json={"name": "x"})
    assert (told.status, told.document["error"]) == (415, "invalid_request")
    told = await client.ask("/token", "POST", headers=form, data=b"name=x&name=y")
    assert (told.status, told.document["error"]) == (400, "invalid_request")
    told = await client.ask("/token", "POST", headers={**form, "X-Crash": "1"}, data=b"name=x")
    assert (told.status, told.document["error"]) == (500, "server_error")
    assert b"synthetic-secret" not in told.body


@pytest.mark.contract("A-014", "A-010")
async def test_only_responses_of_the_sandbox_host_have_the_sandbox_header(client: Client) -> None:
    told = await client.ask("/public", host=Host.SANDBOX)
    assert (told.status, told.headers["X-Argus-Sandbox"]) == (404, "true")
    assert "X-Argus-Sandbox" not in (await client.ask("/public")).headers
