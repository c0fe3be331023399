"""Every route responds to a request for another client's object exactly as for an absent object (contract A-006).

An app of another tenant, an app of another organisation and an app with a lower clearance request the objects of the
app `north`. The table of routes decides what is tested, so a new route is covered at once: a route with a new path
parameter fails until `tests/cloud/SLICE/isolation.py` has a function that creates the object.
"""

import json
import os
import re
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from importlib import import_module
from typing import Any

import httpx
import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.http import Access, Host, Route
from cloud.foundation.ids import UlidIds
from cloud.settings import read_settings
from cloud.slices import SLICES
from cloud.surface import rows_of
from tests.builders.contract_bodies import body_of
from tests.harness.eventually import WITHIN_S, until
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud
from tests.tidy.sources import ROOT

ABSENT = "01HFXYAAAAAAAAAAAAAAAAAAAA"
"""A well-formed identifier of no object."""

PLATFORM_READ = "argus:platform:read"

ABSENT_OF = {"trace_id": "0af7651916cd43dd8448eb211c80319e"}
"""Absent ids of parameters that have a form of their own, in which other ids are refused with 400 (A-108)."""
VARYING = {"x-argus-trace-id", "x-argus-span-id", "date", "ratelimit", "content-length"}
"""Headers that differ between any two responses. The length follows the address that the document repeats."""


def _makers(table: str) -> dict[str, Callable[..., str]]:
    """Merge the tables named `table` of all modules `tests/cloud/SLICE/isolation.py`."""
    names = [one.package.rpartition(".")[2] for one in SLICES]
    having = [name for name in names if (ROOT / "tests" / "cloud" / name / "isolation.py").exists()]
    loaded = [import_module(f"tests.cloud.{name}.isolation") for name in having]
    return {parameter: make for module in loaded for parameter, make in getattr(module, table, {}).items()}


MAKERS = _makers("MAKERS")
"""Map a path parameter to a function that makes an object of an app and returns its identifier. The contract names the
ids of several kinds of objects `id`: of these, the key is the path up to the parameter."""

PART_MAKERS = _makers("PART_MAKERS")
"""Map a path parameter to a function that makes a part of another object, given the identifiers made so far."""


@pytest.fixture(scope="module")
def rows(cloud: RunningCloud) -> tuple[Route, ...]:
    clock = SystemClock()
    return rows_of(read_settings(cloud.config), clock, UlidIds(clock))


@pytest.fixture(scope="module")
def owned(cloud: RunningCloud, rows: tuple[Route, ...]) -> dict[str, str]:
    """Create one object of the app `north` for each path parameter of routes that require a token; return the ids."""
    names = {name for row in rows if row.scopes.access is Access.TOKEN for name in parameters(row)}
    missing = sorted(names - MAKERS.keys() - PART_MAKERS.keys())
    assert not missing, f"no tests/cloud/SLICE/isolation.py makes {missing}"
    made = {name: MAKERS[name](cloud, "north") for name in sorted(names & MAKERS.keys())}
    return made | {name: PART_MAKERS[name](cloud, "north", made) for name in sorted(names & PART_MAKERS.keys())}


def key_of(row: Route, name: str) -> str:
    """Return the key in `MAKERS` of a path parameter."""
    begin = f"{row.path.partition('{' + name)[0]}{{{name}}}"
    return begin if begin in MAKERS else name


def parameters(row: Route) -> list[str]:
    """Return the keys in `MAKERS` and `PART_MAKERS` of a route's path parameters."""
    names = [name for name in re.findall(r"\{(\w+)\*?\}", row.path) if not row.path.endswith("*}")]
    return [key_of(row, name) for name in names]


def walked(rows: tuple[Route, ...]) -> Iterator[Route]:
    """Yield the routes that require a token and have a path parameter."""
    return (row for row in rows if row.scopes.access is Access.TOKEN and parameters(row))


def ask(cloud: RunningCloud, row: Route, app: str, objects: dict[str, str]) -> httpx.Response:
    """Send the request of a route as this app, with the route's documented example as the body."""
    target = re.sub(r"\{(\w+)\}", lambda found: objects[key_of(row, found[1])], row.path)
    host = "api" if Host.API in row.hosts else row.hosts[0].value
    with cloud.client(app, host) as client:
        return client.request(row.method, target, json=body_of(row), params=required_query(row))


def required_query(row: Route) -> dict[str, str]:
    """Return the parameters that a route requires, each with the first of the words that it permits. One that permits
    any number or id gets 1, of which no tenant has an object."""
    schema = {} if row.query is None else row.query.model_json_schema(by_alias=True)
    named = {name: schema["properties"][name] for name in schema.get("required", ())}
    return {name: str(one.get("const", one.get("enum", ["1"])[0])) for name, one in named.items()}


def shown(answer: httpx.Response) -> tuple[int, dict[str, str], dict[str, Any]]:
    """Return status, headers and document without the parts that differ between any two responses, for a comparison."""
    headers = {name: value for name, value in answer.headers.items() if name not in VARYING}
    document = answer.json()
    return answer.status_code, headers, {key: document[key] for key in document.keys() - {"trace_id", "instance"}}


def strangers(row: Route) -> tuple[str, ...]:
    """Return the apps that must not find objects of `north` by this route.

    These are an app of another tenant and, for a route that is limited to an organisation, an app of another
    organisation.
    """
    return ("other", "south") if row.needs_organization or Host.AUTH in row.hosts else ("other",)


@pytest.mark.contract("C-013", "S-060", "S-061", "S-066", "A-006", "A-013", "A-015")
def test_object_of_another_tenant_or_organisation_gets_the_response_of_an_absent_object(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    faults = []
    for row in walked(rows):
        for app in strangers(row):
            for name in parameters(row):
                foreign = shown(ask(cloud, row, app, owned))
                absent = shown(ask(cloud, row, app, owned | {name: ABSENT_OF.get(name, ABSENT)}))
                misshapen = shown(ask(cloud, row, app, owned | {name: ABSENT_OF.get(name, "a.b~c")}))
                if foreign != absent or misshapen[::2] != absent[::2] or foreign[0] != 404:
                    faults.append(f"{row.name} as {app}: {foreign}, absent {absent}, misshapen {misshapen}")
    assert faults == []


@pytest.mark.contract("S-060")
def test_request_for_an_object_of_the_caller_succeeds_on_every_route_of_the_isolation_tests(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    for row in walked(rows):
        # The tests that follow must not need what is deleted here.
        fresh = {name: MAKERS[name](cloud, "north") for name in parameters(row)} if row.method == "DELETE" else {}
        answer = ask(cloud, row, "north", owned | fresh)
        assert answer.is_success, f"{row.name}: {answer.status_code} {answer.text}"


@pytest.mark.contract("C-013", "A-006")
def test_object_above_the_callers_clearance_gets_the_response_of_an_absent_object(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    above_all = {name: MAKERS[name](cloud, "low") for name in ("encounterId", "deviceId", "client_id")}
    owned = owned | above_all
    with closing(sqlite3.connect(cloud.folder / "cloud.db")) as database, database:
        database.execute("UPDATE encounters SET secrecy_level = 3 WHERE id = ?", (owned["encounterId"],))
        database.execute("UPDATE devices SET secrecy_level = 3 WHERE id = ?", (owned["deviceId"],))
        database.execute("UPDATE apps SET secrecy_level = 3 WHERE client_id = ?", (owned["client_id"],))
    for row in walked(rows):
        if set(parameters(row)) <= above_all.keys():
            above = shown(ask(cloud, row, "low", owned))
            absent = shown(ask(cloud, row, "low", dict.fromkeys(owned, ABSENT)))
            assert above == absent, row.name
            assert ask(cloud, row, "north", owned).is_success, row.name
    with cloud.client("low", "auth") as low:
        assert owned["client_id"] not in low.get("/v1/platform/apps", params={"limit": 200}).text
    with cloud.client("low") as low, cloud.client("north") as north:
        assert owned["deviceId"] not in low.get("/api/v1/devices", params={"limit": 200}).text
        assert owned["deviceId"] in north.get("/api/v1/devices", params={"limit": 200}).text


@pytest.mark.contract("S-061")
def test_refused_writes_to_objects_of_another_tenant_or_organisation_change_no_object(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    def everything() -> list[str]:
        # Without jobs, which a worker changes meanwhile; `tests/cloud/jobs` shows the same of them.
        readable = [
            row for row in rows if row.method == "GET" and row.scopes.access is Access.TOKEN and row.tag != "Jobs"
        ]
        responses = [ask(cloud, row, "north", owned) for row in readable if set(parameters(row)) <= owned.keys()]
        # The body of an error has a trace id.
        texts = [one.text if one.is_success else str(one.status_code) for one in responses]
        return [*texts, cloud.console("observations", "export", "--tenant", "tnt_one", "--json")]

    # Without the call-backs of jobs that other tests have started, which are retried for days; no response shows them.
    until(
        lambda: all(row["finished_at_us"] for row in cloud.table("webhook_deliveries") if row["kind"] != "callback"),
        within_s=30,
    )
    before = everything()
    assert len(before) > 1
    for row in walked(rows):
        if row.method != "GET":
            for app in strangers(row):
                assert ask(cloud, row, app, owned).status_code == 404
    assert everything() == before


@pytest.mark.contract("S-060")
@pytest.mark.skipif(
    os.environ.get("ARGUS_SOAK") != "1", reason="time is compared in the soak; a clock decides no test here"
)
def test_response_time_is_the_same_for_an_object_of_another_tenant_and_for_an_absent_object(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    """Compare medians of interleaved requests: whatever else the machine does slows both alike."""
    readable = [row for row in walked(rows) if row.method == "GET"]
    assert readable
    for row in readable:
        taken: dict[bool, list[float]] = {True: [], False: []}
        targets = {
            foreign: re.sub(r"\{(\w+)\}", lambda found, ids=ids, r=row: ids[key_of(r, found[1])], row.path)
            for foreign, ids in ((True, owned), (False, dict.fromkeys(owned, ABSENT) | ABSENT_OF))
        }
        with cloud.client("other") as client:
            for _ in range(41):
                for foreign, target in targets.items():
                    began_s = time.perf_counter()
                    assert client.get(target).status_code == 404
                    taken[foreign].append(time.perf_counter() - began_s)
        medians = [statistics.median(taken[foreign]) for foreign in (True, False)]
        assert max(medians) < 3 * min(medians), row.name


@pytest.mark.contract("C-013", "C-115", "S-062")
def test_lists_contain_no_object_of_another_tenant_or_organisation(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    listings = [
        row for row in rows if row.method == "GET" and row.scopes.access is Access.TOKEN and not parameters(row)
    ]
    assert listings
    for row in listings:
        for app in strangers(row):
            text = ask(cloud, row, app, owned).text
            assert not [identifier for identifier in owned.values() if identifier in text], f"{row.name} as {app}"
    assert owned["deviceId"] in next(ask(cloud, row, "north", owned).text for row in listings if "devices" in row.path)


@pytest.mark.contract("S-063")
def test_list_cursor_is_refused_for_another_caller_or_filter(cloud: RunningCloud) -> None:
    with cloud.client("north") as north, cloud.client("other") as other, cloud.client("south") as south:
        for number in range(3):
            north.post(
                "/api/v1/devices/enrol",
                json={"serial_number": f"SN-PAGE-{number}", "device_class": "bp", "manufacturer": "Synthetic"},
            ).raise_for_status()
        page = north.get("/api/v1/devices", params={"limit": 1})
        following = page.links["next"]["url"]
        cursor = httpx.URL(following).params["cursor"]
        assert north.get(following).status_code == 200
        for client, filters in (
            (other, {}),
            (south, {}),
            (north, {"vehicle_id": "AMB-42"}),
        ):
            refused = client.get("/api/v1/devices", params={"cursor": cursor, "limit": 1, **filters})
            assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")
        damaged = cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")
        assert north.get("/api/v1/devices", params={"cursor": damaged}).status_code == 400


@pytest.mark.contract("S-060", "S-156")
def test_encounter_id_of_another_tenant_in_a_body_gets_the_error_of_an_absent_encounter(
    cloud: RunningCloud, owned: dict[str, str]
) -> None:
    for app in ("other", "south"):
        device_id = MAKERS["deviceId"](cloud, app)
        with cloud.client(app) as client:

            def refused(encounter_id: str, device_id: str = device_id, client: httpx.Client = client) -> Any:
                answer = client.post(
                    f"/api/v1/devices/{device_id}/observations",
                    json={
                        "mdc_code": "MDC_PULS_OXIM_SAT_O2",
                        "value": 98.0,
                        "unit_code": "%",
                        "encounter_id": encounter_id,
                    },
                )
                # The error repeats the id that was sent.
                text = answer.text.replace(encounter_id, "ID")
                return answer.status_code, {**json.loads(text), "trace_id": ""}

            foreign, absent = refused(owned["encounterId"]), refused(ABSENT)
        assert foreign == absent
        assert foreign[0] in (404, 422)


@pytest.mark.contract("C-008", "A-005")
def test_request_without_a_token_is_refused_before_its_body_is_read_on_every_route(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    for row in rows:
        if row.scopes.access is not Access.TOKEN:
            continue
        host = "api" if Host.API in row.hosts else row.hosts[0].value
        target = re.sub(r"\{(\w+)\*?\}", ABSENT, row.path)
        answer = httpx.request(
            row.method, cloud.urls[host] + target, content=b"{nonsense", trust_env=False, verify=PLAIN, timeout=WITHIN_S
        )
        assert (answer.status_code, answer.json()["code"]) == (401, "token_missing"), row.name
        assert answer.headers["WWW-Authenticate"].startswith("Bearer realm=")
        assert "error" not in answer.headers["WWW-Authenticate"]


@pytest.mark.contract("C-112", "C-121", "A-005", "A-020")
def test_request_without_the_required_scope_is_refused_before_its_body_is_read_on_every_route(
    cloud: RunningCloud, rows: tuple[Route, ...], owned: dict[str, str]
) -> None:
    # A token's scopes decide its hosts; none of these rows accepts the scope that is sent there.
    tokens = {scope: cloud.token("north", scope) for scope in ("argus:acqi:read", "webhooks:read", PLATFORM_READ)}
    for row in rows:
        if row.scopes.access is not Access.TOKEN or not row.scopes.names or "argus:acqi:read" in row.scopes.names:
            continue
        elsewhere = PLATFORM_READ if "webhooks:write" in row.scopes.names else "webhooks:read"
        token = tokens["argus:acqi:read" if Host.API in row.hosts else elsewhere]
        host = "api" if Host.API in row.hosts else row.hosts[0].value
        for objects in (owned, dict.fromkeys(owned, ABSENT)):
            target = re.sub(r"\{(\w+)\*?\}", lambda found, ids=objects, r=row: ids[key_of(r, found[1])], row.path)
            answer = httpx.request(
                row.method,
                cloud.urls[host] + target,
                headers={"Authorization": f"Bearer {token}"},
                content=b"{nonsense",
                trust_env=False,
                verify=PLAIN,
                timeout=WITHIN_S,
            )
            if row.concealed:
                assert (answer.status_code, answer.json()["code"]) == (404, "not_found"), row.name
                assert "WWW-Authenticate" not in answer.headers
                continue
            assert (answer.status_code, answer.json()["code"]) == (403, "insufficient_scope"), row.name
            assert f'scope="{" ".join(sorted(row.scopes.names))}"' in answer.headers["WWW-Authenticate"]


@pytest.mark.contract("S-064")
def test_tenant_header_that_differs_from_the_tenant_of_the_token_is_refused(cloud: RunningCloud) -> None:
    with cloud.client("north") as client:
        assert client.get("/api/v1/devices", headers={"X-Tenant-ID": "tnt_one"}).status_code == 200
        refused = client.get("/api/v1/devices", headers={"X-Tenant-ID": "tnt_two"})
    assert (refused.status_code, refused.json()["code"]) == (403, "tenant_mismatch")
    assert "tnt_two" not in json.dumps(refused.json())
