"""The list of data schemas shows what exists for the caller, and each schema can be fetched and used offline."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import date
from typing import Any

import httpx
import orjson
import pytest
from jsonschema import Draft202012Validator

from cloud.access.audit import Audit
from cloud.foundation.db import Database
from cloud.foundation.http import DataSchema, Host
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.partners.discovery import DiscoveryHandlers, RowsDisagree
from cloud.partners.discovery.contract import Contract
from cloud.partners.discovery.data_schemas import DataSchemas, declared_schemas
from cloud.partners.graphql.schema import schema as graphql_schema
from cloud.surface import collect_rows
from tests.builders.cloud_people import HandClock, household
from tests.builders.contract_rows import PRODUCTION, Gadget, row
from tests.builders.http_surface import BASES, KnownTokens, caller, surface
from tests.builders.parts import make_parts
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN

LISTING = "/v1/discovery/data-schemas"
SECRET = DataSchema(
    id="argus.gadget.v2",
    title="Gadget",
    model=Gadget,
    operations=("GET /.well-known/api-catalog",),
    secrecy_level=SecrecyLevel.SECRET,
)
READ = ("argus:discovery:read",)
CALLERS = {
    "north": caller(scopes=READ),
    "cleared": caller(scopes=READ, clearance=SecrecyLevel.SECRET),
    "nowhere": caller(organization=None, scopes=READ),
    "stranger": caller(scopes=("argus:jobs:read",), clearance=SecrecyLevel.SECRET),
    "south": caller(tenant="tnt_south", organization="org_south", scopes=READ),
}
SOURCE = {
    "id": "coi-1",
    "tenant_id": "tnt_north",
    "name": "Coast region",
    "channel": "coi-ambulance",
    "approved_on": None,
    "schemas": [
        {"id": "argus.device.v1", "title": "Device", "schema_url": "https://coast.example/schemas/device.json"},
        {
            "id": "argus.plan.v1",
            "title": "Plan",
            "secrecy_level": "secret",
            "schema_url": "https://coast.example/schemas/plan.json",
        },
    ],
}


@asynccontextmanager
async def asking(
    database: Database, sections: Mapping[str, Mapping[str, Any]] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, DiscoveryHandlers]]:
    clock = HandClock()
    await household(database, clock)
    parts = make_parts(database, clock, bases=BASES, sections=sections)
    rows = collect_rows(parts)
    handlers = parts.shared(DiscoveryHandlers.of)
    async with (
        surface(*(one for one in rows if one.tag == "Discovery"), tokens=KnownTokens(CALLERS)) as served,
        httpx.AsyncClient(
            base_url=served.url(""), headers={"Connection": "close"}, verify=PLAIN, timeout=WITHIN_S
        ) as client,
    ):
        yield client, handlers


def bearer(who: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {who}"}


@pytest.fixture(autouse=True)
def no_openapi(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the OpenAPI document, which no test of this file reads: most of the processor time of a test."""
    empty = Contract(b"{}", '""', b"{}", '""')
    monkeypatch.setattr("cloud.partners.discovery.handlers.make_contract", lambda *_: empty)


@pytest.fixture
def published_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publish a schema of the level `secret`, since none of ours is above `standard`."""
    monkeypatch.setattr("cloud.partners.discovery.handlers.declared_schemas", lambda: [*declared_schemas(), SECRET])


@pytest.mark.contract("C-264", "C-265", "C-269", "C-271", "C-272")
async def test_list_has_the_entry_of_the_sample_and_every_address_in_it_resolves(database: Database) -> None:
    async with asking(database) as (client, _):
        listed = (await client.get(LISTING, headers=bearer("north"))).json()
        assert (listed["tenant_id"], listed["federated_sources"]) == ("tnt_north", [])
        assert {
            "id": "argus.profile.v1",
            "title": "Profile",
            "secrecy_level": "standard",
            "operations": ["GET /v1/profiles/{id}", "POST /v1/profiles/{id}/enrich"],
            "schema_url": f"{BASES[Host.API]}/.well-known/schemas/argus.profile.v1.json",
        } in listed["schemas"]
        assert len(listed["schemas"]) == len(declared_schemas())
        for entry in listed["schemas"]:
            found = await client.get(entry["schema_url"].removeprefix(BASES[Host.API]))
            assert (found.status_code, found.json()["$id"]) == (200, entry["schema_url"])


@pytest.mark.contract("C-265", "A-005")
async def test_list_is_refused_without_a_token_or_without_the_scope(database: Database) -> None:
    async with asking(database) as (client, _):
        assert (await client.get(LISTING)).status_code == 401
        assert (await client.get(LISTING, headers=bearer("stranger"))).status_code == 403


@pytest.mark.contract("A-002", "C-264")
async def test_list_has_only_json_schemas_and_names_no_type_or_operation_of_graphql(database: Database) -> None:
    async with asking(database) as (client, _):
        listed = (await client.get(LISTING, headers=bearer("cleared"))).json()["schemas"]
        contents = [
            (await client.get(entry["schema_url"].removeprefix(BASES[Host.API]), headers=bearer("cleared"))).json()
            for entry in listed
        ]
    assert listed
    for content in contents:
        assert content["$schema"] == "https://json-schema.org/draft/2020-12/schema"
        Draft202012Validator.check_schema(content)
    assert not any("graphql" in operation.lower() for entry in listed for operation in entry["operations"])
    hidden = {name.lower() for name in graphql_schema().type_map}
    shown = {entry["title"].lower() for entry in listed} | {entry["id"].split(".")[1] for entry in listed}
    assert "acqimetric" in hidden
    assert shown.isdisjoint(hidden)


@pytest.mark.contract("C-266")
async def test_list_leaves_out_operations_that_do_not_exist_for_the_caller(database: Database) -> None:
    async with asking(database) as (client, _):
        listed = (await client.get(LISTING, headers=bearer("nowhere"))).json()["schemas"]
    assert [(entry["id"], entry["operations"]) for entry in listed] == [
        ("argus.job.v1", ["GET /v1/jobs/{id}", "DELETE /v1/jobs/{id}"])
    ]


@pytest.mark.contract("C-266", "C-268", "A-141", "S-069")
@pytest.mark.parametrize(
    ("who", "query", "expected"),
    [
        ("north", "", False),
        ("north", "?secrecy_max=top_secret", False),
        ("cleared", "", True),
        ("cleared", "?secrecy_max=top_secret", True),
        ("cleared", "?secrecy_max=confidential", False),
    ],
)
async def test_list_ends_at_the_lower_one_of_clearance_and_requested_level(
    database: Database, published_secret: None, who: str, query: str, expected: bool
) -> None:
    async with asking(database) as (client, _):
        listed = (await client.get(LISTING + query, headers=bearer(who))).json()["schemas"]
    assert (SECRET.id in {entry["id"] for entry in listed}) is expected


@pytest.mark.contract("A-141")
@pytest.mark.parametrize("query", ["secrecy_max=sekret", "secrecy_max=", "include_federated=perhaps", "more=1"])
async def test_list_refuses_an_unknown_level_or_parameter(database: Database, query: str) -> None:
    async with asking(database) as (client, _):
        told = await client.get(f"{LISTING}?{query}", headers=bearer("north"))
    assert (told.status_code, told.json()["code"]) == (400, "invalid_query")


@pytest.mark.contract("C-267", "A-142")
@pytest.mark.parametrize(
    ("who", "approved", "asked", "expected"),
    [
        ("north", "2026-03-01", True, ["argus.device.v1"]),
        ("cleared", "2026-03-01", True, ["argus.device.v1", "argus.plan.v1"]),
        ("north", "2026-03-01", False, None),
        ("north", None, True, None),
        ("south", "2026-03-01", True, None),
    ],
)
async def test_only_the_tenant_of_an_approved_channel_sees_its_source_up_to_its_clearance(
    database: Database, who: str, approved: str | None, asked: bool, expected: list[str] | None
) -> None:
    source = SOURCE | {"approved_on": None if approved is None else date.fromisoformat(approved)}
    async with asking(database, {"discovery": {"sources": [source]}}) as (client, _):
        query = "?include_federated=true" if asked else ""
        sources = (await client.get(LISTING + query, headers=bearer(who))).json()["federated_sources"]
    assert [[one["id"] for one in each["schemas"]] for each in sources] == ([] if expected is None else [expected])
    if expected is not None:
        assert (sources[0]["source_id"], sources[0]["channel"]) == ("coi-1", "coi-ambulance")


@pytest.mark.contract("C-270")
async def test_each_list_is_recorded_in_the_audit_trail_of_the_tenant(database: Database) -> None:
    async with asking(database) as (client, _):
        for _ in range(2):
            await client.get(LISTING, headers=bearer("north"))
    async with database.read() as tx:
        entries = await Audit(HandClock()).list(tx, Actor.operator("tnt_north"), action="discovery.schemas.read")
    seen = {"schemas": len(declared_schemas()), "federated_sources": 0}
    assert [(entry.actor, entry.metadata) for entry in entries] == [("app_north", seen)] * 2


@pytest.mark.contract("A-140")
@pytest.mark.parametrize(("who", "status"), [(None, 404), ("north", 404), ("stranger", 404), ("cleared", 200)])
async def test_schema_above_standard_is_found_only_with_clearance_and_scope(
    database: Database, published_secret: None, who: str | None, status: int
) -> None:
    async with asking(database) as (client, _):
        path = f"/.well-known/schemas/{SECRET.id}.json"
        found = await client.get(path, headers={} if who is None else bearer(who))
        absent = await client.get("/.well-known/schemas/argus.nothing.v1.json")
    assert found.status_code == status
    if status == 200:
        assert found.headers["Cache-Control"] == "private, no-store"
    else:
        parts = [{**told.json(), "trace_id": "", "instance": ""} for told in (found, absent)]
        assert parts[0] == parts[1]


@pytest.mark.contract("A-140", "A-004")
async def test_standard_schema_is_public_and_cacheable_and_a_wrong_token_is_refused(database: Database) -> None:
    async with asking(database) as (client, _):
        path = "/.well-known/schemas/argus.device.v1.json"
        found = await client.get(path)
        again = await client.get(path, headers={"If-None-Match": found.headers["ETag"]})
        refused = await client.get(path, headers=bearer("forged"))
    assert found.headers["Content-Type"] == "application/schema+json"
    assert found.headers["Cache-Control"] == "public, max-age=300"
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    assert (again.status_code, refused.status_code) == (304, 401)


@pytest.mark.contract("A-140")
def test_each_schema_is_valid_json_schema_and_accepts_the_examples_of_its_operations() -> None:
    rows = collect_rows(make_parts(bases=PRODUCTION))
    by_name = {one.name: one for one in rows}
    published = DataSchemas(declared_schemas(), rows, PRODUCTION)
    for schema in declared_schemas():
        document = orjson.loads(published.documents[schema.id].content)
        Draft202012Validator.check_schema(document)
        examples = [
            example
            for name in schema.operations
            for example in _objects(by_name[name].response_example)
            if by_name[name].response in (schema.model, list[schema.model])
        ]
        assert examples, f"no operation of {schema.id} has an example"
        for example in examples:
            Draft202012Validator(document).validate(example)


def _objects(example: Any) -> list[Any]:
    return example if isinstance(example, list) else [] if example is None else [example]


def test_schema_with_an_unknown_route_or_a_malformed_id_is_refused_at_start() -> None:
    with pytest.raises(RowsDisagree, match="GET /nothing"):
        DataSchemas([replace(SECRET, operations=("GET /nothing",))], [row()], PRODUCTION)
    with pytest.raises(ValueError, match=r"Gadget\.v1"):
        replace(SECRET, id="argus.Gadget.v1")
