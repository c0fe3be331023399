"""No response, event, log line, span, audit entry or export has the identity of a patient, whatever a crew typed.

The record of an encounter has names, birth dates, streets, phone numbers, e-mail addresses and identity numbers in
every element. Then all routes are walked, each with every format that it offers. Only concealed routes, which need an
entitlement, may disclose them.
"""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from cloud.clinical.epcr import change_columns
from cloud.foundation.http import Access, Host, Route
from tests.builders.contract_bodies import body_of
from tests.builders.record_canaries import IDENTITY, identity_found, records_with_identity
from tests.contract.test_isolation import MAKERS, PART_MAKERS, key_of, parameters, rows
from tests.harness.eventually import until
from tests.harness.running_cloud import RunningCloud

__all__ = ["rows"]

ENTITLED_PATHS = re.compile("/api/v1/identified/.*")
"""Paths of the routes that may disclose identity: the hand-over and the registry."""
_COLUMNS = (
    "change_id, encounter_id, element_key, entry_id, action, value, negative, not_recorded, author, replaces, "
    "device_time_us, gateway_time_us"
)


@pytest.fixture(scope="module")
def objects(cloud: RunningCloud, rows: tuple[Route, ...]) -> dict[str, str]:
    """Create one object of each kind; the record of the encounter has the identity of a person in every element."""
    names = {name for row in rows if row.scopes.access is Access.TOKEN for name in parameters(row)}
    made = {name: MAKERS[name](cloud, "north") for name in sorted(names & MAKERS.keys())}
    made |= {name: PART_MAKERS[name](cloud, "north", made) for name in sorted(names & PART_MAKERS.keys())}
    place = (9_000_001, 1)
    owner = ("tnt_one", "org_north", "veh_north", "gw_north")
    changes = [
        (*place, number, *owner, *change_columns(one), 0)
        for number, one in enumerate(records_with_identity(made["encounterId"]))
    ]
    statement = (
        f"INSERT INTO care_changes (lane_id, sequence, position, tenant_id, organization_id, vehicle_id, gateway_id, "  # noqa: S608
        f"{_COLUMNS}, received_at_us) VALUES ({', '.join('?' * 20)})"
    )
    with closing(sqlite3.connect(cloud.folder / "cloud.db")) as database, database:
        database.executemany(statement, changes)
    return made


def requests_of(row: Route, objects: dict[str, str]) -> Iterator[dict[str, Any]]:
    """Yield a request of a route with each value of the parameters that choose a form of the response."""
    target = re.sub(r"\{(\w+)\*?\}", lambda found: objects.get(key_of(row, found[1]), "x"), row.path)
    plain = {"method": row.method, "url": target, "json": body_of(row)}
    yield plain
    if row.method != "GET":
        return
    for accept in ("application/fhir+json", "application/x-ndjson", "*/*"):
        yield plain | {"headers": {"Accept": accept}}
    fields = {} if row.query is None else row.query.model_json_schema(by_alias=True)["properties"]
    yield from (
        plain | {"params": {name: choice}} for name, schema in fields.items() for choice in _choices(name, schema)
    )


def _choices(name: str, schema: dict[str, Any]) -> list[str]:
    """Return the values of a parameter that is one of a few words, or names an encounter's format."""
    branches = [schema, *schema.get("anyOf", ())]
    words = [
        str(word) for branch in branches for word in (*branch.get("enum", ()), *filter(None, [branch.get("const")]))
    ]
    return words or (["json", "fhir", "ndjson"] if name == "format" else [])


@pytest.mark.contract("S-150", "C-106", "A-097", "A-098")
def test_no_route_discloses_the_identity_in_a_record(
    cloud: RunningCloud, rows: tuple[Route, ...], objects: dict[str, str]
) -> None:
    answered, faults = set(), []
    for row in rows:
        if row.concealed:
            assert ENTITLED_PATHS.fullmatch(row.path), row.path
            continue
        if row.method == "DELETE" or row.scopes.access is not Access.TOKEN:
            continue
        host = "api" if Host.API in row.hosts else row.hosts[0].value
        with cloud.client("north", host) as client:
            for request in requests_of(row, objects):
                response: httpx.Response = client.request(**request)
                found = identity_found(response.text) + identity_found(repr(response.headers))
                faults += [f"{row.name} {request}: {one}" for one in found]
                if response.is_success and "encounterId" in row.path:
                    answered.add(row.path)
    assert faults == []
    assert answered == {row.path for row in rows if "encounterId" in row.path and not row.concealed}


@pytest.mark.contract("S-150", "C-106")
def test_events_deliveries_spans_audit_entries_exports_and_logs_have_no_identity_of_a_record(
    cloud: RunningCloud, objects: dict[str, str]
) -> None:
    with cloud.client("north") as north:
        path = f"/api/v1/epcr/encounters/{objects['encounterId']}"
        trace_id = north.get(path).headers["X-Argus-Trace-ID"]
        north.patch(f"{path}/mission", json={"care_model": "event_medical"}).raise_for_status()
    until(lambda: trace_id in {row["trace_id"] for row in cloud.table("spans")})
    places = {
        name: repr(cloud.table(name)) for name in ("outbox_events", "webhook_deliveries", "spans", "audit_entries")
    }
    places["replies"] = repr([row["body"] for row in cloud.table("idempotency_keys")])
    tenant = ("--tenant", "tnt_one")
    places["log"] = cloud.log_text()
    places["export"] = cloud.console("observations", "export", *tenant, "--json")
    places["preview"] = cloud.console("epcr", "preview", objects["encounterId"], *tenant, "--json")
    assert {name: identity_found(text) for name, text in places.items()} == {name: [] for name in places}
    assert '"fields":[{' in places["preview"]


def test_search_for_identity_finds_it_in_the_record_of_the_operator(
    cloud: RunningCloud, objects: dict[str, str]
) -> None:
    text = cloud.console("epcr", "show", objects["encounterId"], "--tenant", "tnt_one", "--json")
    assert set(identity_found(text)) >= {one for texts in IDENTITY.values() for one in texts}
