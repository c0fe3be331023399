"""Every documented request example is accepted, and every response example has the fields of the real response.

The table of routes decides what is compared, so the examples of a new route are compared at once. `MAKERS` of the
isolation test maps a path parameter to the function that creates its object. `_PREPARE` maps an operation to what its
object needs before the request.
"""

import re
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
import yaml
from pydantic import TypeAdapter

from cloud.foundation.clock import SystemClock
from cloud.foundation.http import Access, BodyKind, Host, Route
from cloud.foundation.ids import UlidIds
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.builders.cloud_settings import settings_file
from tests.builders.contract_samples import shape_faults
from tests.contract.test_isolation import MAKERS, PART_MAKERS, key_of, parameters
from tests.harness.eventually import until
from tests.harness.running_cloud import RunningCloud

ATTEMPTED_WITHIN_S = 30.0
SIGNING_SECRET = "a signing secret for the samples"
EXCERPTS: dict[str, dict[str, Any]] = {
    "getOpenApiJson": {"paths": {}},
    "getOpenApiYaml": {"paths": {}},
    "getApiCatalog": {"linkset": []},
    "readEncounterBundle": {"entry": []},
    "getTrace": {"spans": []},
    "listTreeHeads": {"tree_heads": []},
}
"""Operations whose example shows an excerpt of the response, and the member that is not compared: the path `/v1/jobs`
of the contract's excerpt comes with the jobs, a name in the link set has the address of the host, the resources of a
bundle have different fields, and the spans of a trace different attributes. The first tree head is signed at midnight;
the tests of tree heads compare one."""
FROM_VEHICLES = frozenset({"listEncounterObservations", "listEncounterWaveforms", "listEncounterTimeline"})
"""Operations whose items come from vehicles, and so are absent here or have other fields: their schema is compared."""
PLACEHOLDERS = frozenset({"executeGraphql", "verifyEvidenceProvenance", "proveInclusion", "proveConsistency"})
"""Operations whose example has a placeholder: an approved document is not public, a transcript is long, and a proof
needs a tree head, of which the first is signed at midnight. The tests of these operations send real ones."""
WITHOUT_EXAMPLE = frozenset({"authorize", "cancelJob", "getDataSchema"})
"""Operations of the contract that return a page instead of a document, a document only to a repetition, or a document
whose form is that of JSON Schema."""


@cache
def rows() -> tuple[Route, ...]:
    with tempfile.TemporaryDirectory() as folder:
        clock = SystemClock()
        return rows_of(read_settings(settings_file(Path(folder))), clock, UlidIds(clock))


def exemplified() -> list[Route]:
    shown = [row for row in rows() if row.request_example is not None or row.response_example is not None]
    return [row for row in shown if row.operation_id not in PLACEHOLDERS]


def _allow_service_tokens(client: httpx.Client, objects: dict[str, str]) -> None:
    path = f"/v1/platform/apps/{objects['client_id']}/governance"
    client.patch(path, json={"allow_service_tokens": True}).raise_for_status()


def _deliver(client: httpx.Client, objects: dict[str, str]) -> None:
    path = f"/v1/webhooks/{objects['webhook_id']}"
    client.post(f"{path}/test").raise_for_status()
    until(lambda: client.get(f"{path}/deliveries").json()["deliveries"][0]["attempts"], within_s=ATTEMPTED_WITHIN_S)


def _finish_job(client: httpx.Client, objects: dict[str, str]) -> None:
    made = client.post("/v1/jobs", json={"kind": "graph.compute", "payload": {"analyses": ["components"]}})
    path = f"/v1/jobs/{made.json()['id']}"
    until(lambda: client.get(path).json()["status"] == "succeeded", within_s=60)
    objects["/v1/jobs/{id}"] = str(made.json()["id"])


_PREPARE: dict[str, Callable[[httpx.Client, dict[str, str]], None]] = {
    "mintServiceToken": _allow_service_tokens,
    "listWebhookDeliveries": _deliver,
    "readWebhookKeys": _deliver,  # the first delivery generates the keys
    "fetchJobResult": _finish_job,
}
"""Map an operation to what its object needs before the request."""


def _add_share_link(cloud: RunningCloud, encounter_id: str) -> None:
    """Add a share link to an encounter of the app `north`. Only vehicles add links, and here is none."""
    app, at_us = cloud.apps["north"], SystemClock().now_us()
    link = {
        "tenant_id": app.tenant_id,
        "id": "share-example",
        "token_hash": "0" * 64,
        "encounter_id": encounter_id,
        "organization_id": app.organization_id,
        "vehicle_id": "AMB-42",
        "author": "usr_synthetic",
        "added_at_us": at_us,
        "announced_at_us": at_us,
    }
    with closing(sqlite3.connect(cloud.folder / "cloud.db")) as database, database:
        places = ", ".join(f":{name}" for name in link)
        database.execute(f"INSERT INTO share_links ({', '.join(link)}) VALUES ({places})", link)  # noqa: S608


@pytest.fixture(scope="module")
def objects(cloud: RunningCloud) -> dict[str, str]:
    """Create one object of the app `north` for each path parameter, so that no list is empty; return the ids."""
    names = {name for row in exemplified() for name in parameters(row)}
    made = {name: MAKERS[name](cloud, "north") for name in sorted(names & MAKERS.keys())}
    _add_share_link(cloud, made["encounterId"])
    return made | {name: PART_MAKERS[name](cloud, "north", made) for name in sorted(names & PART_MAKERS.keys())}


def replaced(example: Any, cloud: RunningCloud) -> Any:
    """Return a request example in which real credentials replace the example's credentials."""
    real = {
        "app_123": cloud.apps["north"].client_id,
        "<client-secret>": cloud.apps["north"].client_secret,
        "<signing-secret>": SIGNING_SECRET,
    }
    return {name: real.get(value, value) if isinstance(value, str) else value for name, value in example.items()}


def send(cloud: RunningCloud, row: Route, objects: dict[str, str]) -> httpx.Response:
    """Send the request of a route with its documented example as the body."""
    host = "api" if Host.API in row.hosts else row.hosts[0].value
    body: dict[str, Any] = {}
    if row.body_kind is BodyKind.BYTES:
        body = {"content": row.request_example.encode(), "headers": {"Content-Type": row.body_kind.value}}
    elif row.request_example is not None:
        body["data" if row.body_kind is BodyKind.FORM else "json"] = replaced(row.request_example, cloud)
    if row.operation_id in _PREPARE:
        with cloud.client("north", host) as owner:
            _PREPARE[row.operation_id](owner, objects)
    with cloud.client("north" if row.scopes.access is Access.TOKEN else None, host) as client:
        path = re.sub(r"\{(\w+)\}", lambda found: objects[key_of(row, found[1])], row.path)
        response = client.request(row.method, path, **body)
    if response.headers["Content-Type"] == "application/json" and isinstance(response.json(), dict):
        secret_fields = ("access_token", "token", "client_secret", "callback_signing_secret", "secret")
        cloud.secrets.update(response.json()[name] for name in secret_fields if response.json().get(name))
    return response


def schema_faults(kind: Any, value: Any) -> list[str]:
    """Return a line for each place where the JSON schema of `kind` rejects the value."""
    schema = TypeAdapter(kind).json_schema()
    validator = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())
    return [f"{fault.json_path}: {fault.message}" for fault in validator.iter_errors(value)]


@pytest.mark.contract("C-010")
@pytest.mark.parametrize("row", exemplified(), ids=lambda row: row.name)
def test_example_request_of_a_route_is_accepted_and_its_response_has_the_documented_fields(
    cloud: RunningCloud, objects: dict[str, str], row: Route
) -> None:
    response = send(cloud, row, objects)
    assert response.is_success, f"{response.status_code}: {response.text}"
    assert response.status_code in row.responses
    faults = []
    if row.body is not None and row.request_example is not None:
        faults += schema_faults(row.body, row.request_example)
    if row.response_example is not None:
        document = yaml.safe_load(response.text) if "yaml" in row.response_media_type else response.json()
        for value in (row.response_example, document):
            faults += schema_faults(row.response, value)
        if row.operation_id in FROM_VEHICLES:
            assert isinstance(document, list)
        elif row.operation_id in EXCERPTS:
            example = {**row.response_example, **EXCERPTS[row.operation_id]}
            faults += shape_faults(example, document)
        else:
            faults += shape_faults(row.response_example, document) + shape_faults(document, row.response_example)
    assert faults == []


def test_every_operation_with_a_json_request_or_response_has_examples() -> None:
    bare = {
        row.operation_id
        for row in rows()
        if row.in_contract
        and (
            (row.body is not None and not row.body_optional and row.request_example is None)
            or (row.response is not None and row.response_example is None)
        )
    }
    assert bare - WITHOUT_EXAMPLE == set()
