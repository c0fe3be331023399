"""Clients send approved operations to `POST /graphql` (GraphQL over HTTP)."""

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from graphql import GraphQLNonNull, GraphQLObjectType, GraphQLSchema, GraphQLString

from cloud.access.apps import CATALOGUE
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.graphql_fields import GraphContext, root_field
from cloud.foundation.ids import UlidIds
from cloud.partners.discovery import contract_document
from cloud.partners.graphql import approval, execution
from cloud.partners.graphql import schema as schema_module
from cloud.partners.graphql.schema import schema
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.builders.api_surface import Api, api
from tests.builders.cloud_settings import settings_file
from tests.builders.graphql_bundles import ENCOUNTER, GRAPHQL_JSON, TYPE_NAME, code_of, grant_documents, send
from tests.builders.http_surface import BASES

NOT_APPROVED = (200, "OPERATION_NOT_APPROVED")
MINE = {"id": "enc_north"}


@pytest.mark.contract("C-095", "C-096", "C-097", "C-098", "A-087")
async def test_approved_document_returns_its_data(here: Api) -> None:
    answer = await send(here, ENCOUNTER, MINE, X_Tenant_ID="tnt_north")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    wanted = {"id": "enc_north", "status": "in_progress", "organizationId": "org_north"}
    assert answer.json() == {"data": {"encounter": wanted}}
    other = await send(here, ENCOUNTER, MINE, X_Tenant_ID="tnt_south")
    assert (other.status_code, other.json()["code"]) == (403, "tenant_mismatch")


@pytest.mark.contract("A-088", "S-111")
async def test_document_with_other_white_space_and_comments_is_accepted(here: Api) -> None:
    spread = "query Encounter($id: ID!) {\n  encounter(id: $id) {\n    id,\n    status\n    organizationId\n  }\n}"
    for text in (spread, f"# a comment\n{ENCOUNTER}"):
        assert (await send(here, text, MINE)).json()["data"]["encounter"]["id"] == "enc_north"


@pytest.mark.contract("S-111")
async def test_document_with_one_more_field_is_refused(here: Api) -> None:
    assert code_of(await send(here, ENCOUNTER.replace("status", "status careModel"), MINE)) == NOT_APPROVED


@pytest.mark.contract("A-088", "S-110", "S-112", "C-100", "C-101", "C-102")
async def test_foreign_unknown_and_introspecting_documents_get_the_same_error(here: Api) -> None:
    digest = hashlib.sha256(ENCOUNTER.encode()).hexdigest()
    refused = [
        await send(here, ENCOUNTER, {"id": "enc_south"}, who="south"),
        await send(here, documentId=f"sha256:{digest}", who="south"),
        await send(here, extensions={"persistedQuery": {"version": 1, "sha256Hash": digest}}, who="south"),
        await send(here, "{ unknownField }"),
        await send(here, documentId="sha256:" + "0" * 64),
        await send(here, "{ __schema { types { name } } }"),
        await send(here, '{ a: __type(name: "Query") { fields { name } } }'),
        await send(here, "{ ...F } fragment F on Query { __schema { queryType { name } } }"),
    ]
    bodies = []
    for answer in refused:
        assert code_of(answer) == NOT_APPROVED
        (error,) = answer.json()["errors"]
        del error["extensions"]["trace_id"]
        bodies.append(answer.json() | {"errors": [error]})
        assert "Did you mean" not in answer.text
        assert "Query" not in answer.text
    assert bodies == [bodies[0]] * len(bodies)


@pytest.mark.contract("A-088", "S-112")
async def test_document_is_found_by_each_of_its_ids(database: Database) -> None:
    async with api(database) as here:
        (normal, _) = await grant_documents(here)
        as_sent = hashlib.sha256(ENCOUNTER.encode()).hexdigest()
        for more in (
            {"documentId": normal},
            {"documentId": f"sha256:{as_sent}"},
            {"extensions": {"persistedQuery": {"version": 1, "sha256Hash": as_sent}}},
            {"query": ENCOUNTER, "extensions": {"persistedQuery": {"version": 1, "sha256Hash": as_sent}}},
            {"query": ENCOUNTER, "operationName": "Encounter"},
        ):
            answer = await send(here, variables=MINE, **more)
            assert answer.json()["data"]["encounter"]["id"] == "enc_north", more


@pytest.mark.contract("A-090")
async def test_status_follows_the_accepted_media_type(here: Api) -> None:
    for accept, media_type, invalid, unapproved in (
        ("*/*", "application/json", 400, 200),
        ("text/html", "application/json", 400, 200),
        (GRAPHQL_JSON, GRAPHQL_JSON, 422, 403),
        (f"application/json, {GRAPHQL_JSON}", GRAPHQL_JSON, 422, 403),
        (f"{GRAPHQL_JSON};q=0.5, application/json", "application/json", 400, 200),
    ):
        answers = [
            await send(here, TYPE_NAME, Accept=accept),
            await send(here, "{ broken", Accept=accept),
            await send(here, ENCOUNTER, {"id": {}}, Accept=accept),
            await send(here, "{ other }", Accept=accept),
        ]
        assert [answer.status_code for answer in answers] == [200, 400, invalid, unapproved]
        assert {answer.headers["Content-Type"] for answer in answers} == {f"{media_type}; charset=utf-8"}
        assert ["data" in answer.json() for answer in answers] == [True, False, False, False]


@pytest.mark.contract("A-091", "S-115", "S-121")
async def test_other_methods_and_media_types_are_refused(here: Api) -> None:
    got = await here.get("/graphql?query=%7B__typename%7D", Accept="text/html")
    assert (got.status_code, got.headers["Allow"]) == (405, "POST")
    assert "html" not in got.headers["Content-Type"]
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        headers = {"Authorization": "Bearer north", "Content-Type": kind}
        sent = await here.client.post("/graphql", content=b'{"query": "{ __typename }"}', headers=headers)
        assert sent.status_code == 415, kind
    without = await here.client.post("/graphql", json={"query": TYPE_NAME})
    assert (without.status_code, without.json()["code"]) == (401, "token_missing")


@pytest.mark.contract("S-113", "A-092")
async def test_array_of_operations_is_refused(here: Api) -> None:
    answer = await here.post("/graphql", [{"query": TYPE_NAME}] * 100)
    assert code_of(answer) == (400, "BATCHING_DISABLED")


async def test_malformed_request_is_refused(here: Api) -> None:
    for body in (
        b"{",
        b"",
        b'"text"',
        b"{}",
        b'{"query": 7}',
        b'{"query": "{ __typename }", "variables": []}',
        b'{"query": "{ __typename }", "operationName": "Other"}',
        b'{"query": "{ __typename }", "documentId": "sha256:0"}',
        b'{"query": "{ __typename }", "extensions": {"persistedQuery": {"sha256Hash": "0"}}}',
    ):
        assert code_of(await here.post("/graphql", body)) == (400, "INVALID_GRAPHQL_REQUEST"), body


@pytest.mark.contract("S-116")
async def test_error_of_a_variable_names_no_value(here: Api) -> None:
    for variables in ({}, {"id": None}, {"id": ["secret"]}, {"id": "enc_north", "secret": 1}):
        answer = await send(here, ENCOUNTER, variables, Accept=GRAPHQL_JSON)
        assert code_of(answer) == (422, "BAD_USER_INPUT")
        assert "secret" not in answer.text


@pytest.mark.contract("S-116", "A-092")
async def test_body_over_the_limit_is_refused(here: Api) -> None:
    assert (await send(here, ENCOUNTER, {"id": "x" * (1 << 20)})).status_code == 413


@pytest.mark.contract("A-094", "C-102")
async def test_object_of_another_tenant_is_not_found(here: Api) -> None:
    bodies = []
    for encounter in ("enc_south", "enc_unknown"):
        answer = await send(here, ENCOUNTER, {"id": encounter})
        assert answer.status_code == 200
        document = answer.json()
        assert document["data"] == {"encounter": None}
        (error,) = document["errors"]
        assert (error["path"], error["extensions"].pop("trace_id")) == (
            ["encounter"],
            answer.headers["X-Argus-Trace-ID"],
        )
        assert error["extensions"] == {"code": "NOT_FOUND", "problem": "encounter_unknown"}
        bodies.append(document)
    assert bodies[0] == bodies[1]


async def test_field_without_its_scope_is_forbidden(here: Api) -> None:
    answer = await send(here, ENCOUNTER, MINE, who="stranger")
    assert code_of(answer) == (403, "FORBIDDEN")
    assert "data" not in answer.json()


async def test_token_without_an_organisation_reads_no_encounter(here: Api) -> None:
    answer = await send(here, ENCOUNTER, MINE, who="nowhere")
    assert answer.json()["data"] == {"encounter": None}
    assert code_of(answer) == (200, "FORBIDDEN")


@pytest.fixture
def failing_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace the schema by one with a field whose resolver fails, and one whose resolver never ends."""

    async def fail(_context: GraphContext, /, **_arguments: Any) -> Any:
        raise RuntimeError("patient Kowalska")

    async def hang(_context: GraphContext, /, **_arguments: Any) -> Any:
        await asyncio.Event().wait()

    scopes = frozenset({"argus:epcr:write"})
    fields = {
        name: root_field(GraphQLString, resolve, scopes=scopes, description=name)
        for name, resolve in (("broken", fail), ("hanging", hang))
    }
    failing = GraphQLSchema(GraphQLObjectType("Query", fields))
    for module in (schema_module, execution):
        monkeypatch.setattr(module, "schema", lambda: failing)
    monkeypatch.setattr(approval, "built_in_bundles", lambda: iter(()))


@pytest.mark.contract("S-117")
@pytest.mark.usefixtures("failing_schema")
async def test_error_of_a_resolver_is_masked(database: Database, capsys: pytest.CaptureFixture[str]) -> None:
    async with api(database) as here:
        await grant_documents(here, "{ broken }")
        answer = await send(here, "{ broken }")
    assert code_of(answer) == (200, "INTERNAL")
    assert answer.json()["data"] == {"broken": None}
    assert "Kowalska" not in answer.text
    assert "RuntimeError" not in answer.text
    assert "Kowalska" not in capsys.readouterr().out


@pytest.mark.usefixtures("failing_schema")
async def test_operation_over_its_time_is_cancelled(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "OPERATION_S_MAX", 0.0)
    async with api(database) as here:
        await grant_documents(here, "{ hanging }")
        answer = await send(here, "{ hanging }")
    assert code_of(answer) == (503, "OPERATION_TIMEOUT")
    assert answer.headers["Retry-After"]


@pytest.mark.contract("C-099", "A-139")
def test_public_document_describes_the_transport_and_no_operation(tmp_path: Path) -> None:
    clock, settings = SystemClock(), read_settings(settings_file(tmp_path))
    scopes = {scope.name: scope.description for scope in CATALOGUE}
    document = contract_document(rows_of(settings, clock, UlidIds(clock)), BASES, scopes)
    assert list(document["paths"]["/graphql"].keys() - {"servers", "parameters"}) == ["post"]
    query = schema().query_type
    assert query is not None
    long_names = [name for name in query.fields if name != "encounter"]
    assert long_names
    assert not [name for name in long_names if name in json.dumps(document)]


@pytest.mark.contract("S-119", "A-095")
def test_schema_has_no_field_of_credentials() -> None:
    shown = [kind for kind in schema().type_map.values() if isinstance(kind, GraphQLObjectType)]
    assert not [
        name for kind in shown if kind.name != "Mutation" for name in kind.fields if "credential" in name.lower()
    ]


@pytest.mark.contract("A-092")
def test_root_field_without_scopes_is_refused() -> None:
    with pytest.raises(ValueError, match="scopes"):
        root_field(GraphQLNonNull(GraphQLString), None, scopes=frozenset(), description="")  # type: ignore[arg-type]
