"""Properties that all responses have in common: trace headers, security headers, HEAD, media types, host names."""

import re
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from cloud.foundation.clock import SystemClock
from cloud.foundation.http import Access, Host, Route
from cloud.foundation.ids import UlidIds
from cloud.settings import read_settings
from cloud.surface import rows_of
from tests.harness.eventually import WITHIN_S, until
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import HOSTS, RunningCloud

DEVICES, ENROL, ENCOUNTERS = "/api/v1/devices", "/api/v1/devices/enrol", "/api/v1/epcr/encounters"
PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


@pytest.fixture(scope="module")
def rows(cloud: RunningCloud) -> tuple[Route, ...]:
    clock = SystemClock()
    return rows_of(read_settings(cloud.config), clock, UlidIds(clock))


@pytest.fixture(scope="module")
def device_id(cloud: RunningCloud) -> str:
    with cloud.client("north") as client:
        answer = client.post(
            ENROL, json={"serial_number": "SN-ALL", "device_class": "oximeter", "manufacturer": "Synthetic"}
        )
    return str(answer.json()["id"])


def one_of_each(cloud: RunningCloud, device_id: str) -> Iterator[tuple[int, httpx.Response]]:
    """Yield (status, response) for each status that a client can provoke, on each host where it can provoke it."""
    for host in HOSTS:
        with cloud.client(host=host) as client:
            yield 404, client.get("/no/such/path")
            yield 200, client.get("/health/live")
            yield 405, client.delete("/health/live")
            yield 421, client.get("/health/live", headers={"Host": "elsewhere.example"})
            yield 400, client.get("/health/live", params={"unknown": "1"})
    with cloud.client(host="auth") as auth:
        yield 200, auth.get("/.well-known/jwks.json")
        yield 304, auth.get("/.well-known/jwks.json", headers={"If-None-Match": "*"})
        yield 400, auth.post("/v1/oauth/token", data={"grant_type": "password"})
        yield 401, auth.post("/v1/oauth/token", data={"grant_type": "client_credentials"}, auth=("app_x", "y"))
        yield 415, auth.post("/v1/oauth/token", json={})
    with cloud.client(host="docs") as docs:
        yield 200, docs.get("/api/docs")
    path = f"{DEVICES}/{device_id}/observations"
    with (
        cloud.client() as nobody,
        cloud.client("north", scope="argus:acqi:read") as little,
        cloud.client("north") as north,
    ):
        yield 401, nobody.get(DEVICES)
        yield 403, little.get(DEVICES)
        yield 404, north.get(f"{ENCOUNTERS}/absent")
        yield 413, north.post(ENROL, content=b" " * (1024 * 1024 + 1), headers={"Content-Type": "application/json"})
        yield 415, north.post(ENROL, content=b"a", headers={"Content-Type": "text/plain"})
        yield 422, north.post(path, json={"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 1, "unit_code": "furlong"})
        yield 201, north.post(ENCOUNTERS, json={"care_model": "event_medical"})
        yield 200, north.get(DEVICES)


@pytest.mark.contract("C-012", "A-007", "C-014", "A-016", "S-177", "A-001", "A-014")
def test_every_response_has_trace_headers_and_no_implementation_details(cloud: RunningCloud, device_id: str) -> None:
    spans = set()
    for status, answer in one_of_each(cloud, device_id):
        what = f"{answer.request.method} {answer.request.url}"
        assert answer.status_code == status, f"{what}: {answer.text}"
        assert re.fullmatch("[0-9a-f]{32}", answer.headers["X-Argus-Trace-ID"]), what
        assert re.fullmatch("[0-9a-f]{16}", answer.headers["X-Argus-Span-ID"]), what
        assert answer.headers["X-Argus-Contract"] == "2026.4"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "Server" not in answer.headers
        if status != 421:  # which no host sends
            of_sandbox = answer.request.url.port == cloud.ports["sandbox"]
            assert ("X-Argus-Sandbox" in answer.headers) == of_sandbox, what
        spans.add(answer.headers["X-Argus-Span-ID"])
        if status >= 400 and "error" not in answer.json():
            problem = answer.json()
            assert answer.headers["Content-Type"] == "application/problem+json", what
            assert problem.keys() >= {"type", "title", "status", "detail", "code", "trace_id"}, what
            assert (problem["status"], problem["trace_id"]) == (status, answer.headers["X-Argus-Trace-ID"])
            assert problem["type"].startswith(f"{cloud.urls['api']}/problems/")
            assert not re.search(r"Traceback|\.py|sqlite|postgres|SELECT|/tmp", answer.text), what
    assert len(spans) > 30, "each answer has a span of its own"


@pytest.mark.contract("A-008", "S-180")
def test_valid_traceparent_of_a_request_is_continued_and_a_malformed_traceparent_is_ignored(
    cloud: RunningCloud,
) -> None:
    with cloud.client("north") as client:
        answer = client.get(DEVICES, headers={"traceparent": PARENT, "tracestate": "vendor=1"})
        assert answer.headers["X-Argus-Trace-ID"] == PARENT[3:35]
        assert answer.headers["X-Argus-Span-ID"] != PARENT[36:52]
        assert "tracestate" not in answer.headers
        for malformed in (
            "",
            "00",
            PARENT.upper(),
            PARENT.replace("00-", "ff-", 1),
            f"00-{'0' * 32}-b7ad6b7169203331-01",
            f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
            PARENT[:-3],
            f"{PARENT}-more",
            f"{PARENT[:-1]}g",
        ):
            answer = client.get(DEVICES, headers={"traceparent": malformed})
            assert answer.status_code == 200, malformed
            assert answer.headers["X-Argus-Trace-ID"] != PARENT[3:35], malformed


@pytest.mark.contract("C-001", "C-002", "C-004", "A-010")
def test_each_route_exists_only_on_the_hosts_that_it_declares(cloud: RunningCloud, rows: tuple[Route, ...]) -> None:
    for row in rows:
        target = re.sub(r"\{(\w+)\*?\}", "absent", row.path)
        for host in Host:
            answer = httpx.request(
                row.method, f"{cloud.urls[host.value]}{target}", trust_env=False, verify=PLAIN, timeout=WITHIN_S
            )
            there = not (answer.status_code == 404 and answer.json().get("code") == "not_found")
            # An absent object gets the response of an unknown address; another method distinguishes the two.
            if not there and host in row.hosts:
                purged = httpx.request(
                    "PURGE", f"{cloud.urls[host.value]}{target}", trust_env=False, verify=PLAIN, timeout=WITHIN_S
                )
                there = purged.status_code == 405
            assert there == (host in row.hosts), f"{row.name} on {host}"


@pytest.mark.contract("S-175")
def test_head_response_has_the_headers_of_the_get_response_and_no_body_on_every_route(
    cloud: RunningCloud, rows: tuple[Route, ...], device_id: str
) -> None:
    varying = {"x-argus-trace-id", "x-argus-span-id", "date", "ratelimit", "set-cookie"}
    seen = 0
    for row in rows:
        if row.method != "GET":
            continue
        target = re.sub(r"\{(\w+)\*?\}", "absent", row.path)
        app = "north" if row.scopes.access is Access.TOKEN else None
        with cloud.client(app, row.hosts[0].value) as client:
            got, head = client.get(target), client.head(target)
        assert (head.status_code, head.content) == (got.status_code, b""), row.name
        if "instance" not in got.text:
            same = {name: value for name, value in got.headers.items() if name not in varying}
            assert {name: value for name, value in head.headers.items() if name not in varying} == same, row.name
        seen += 1
    assert seen > 8


@pytest.mark.contract("A-004", "S-023")
def test_cross_origin_requests_can_read_only_public_documents(cloud: RunningCloud, rows: tuple[Route, ...]) -> None:
    for row in rows:
        target = re.sub(r"\{(\w+)\*?\}", "absent", row.path)
        origin = {"Origin": "https://app.example", "Access-Control-Request-Method": row.method}
        with cloud.client(host=row.hosts[0].value) as client:
            answers = [client.request(row.method, target, headers=origin), client.options(target, headers=origin)]
        for answer in answers:
            allowed = answer.headers.get("Access-Control-Allow-Origin")
            assert allowed == ("*" if row.open_to_browsers else None), row.name
            assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.contract("C-015", "C-016")
def test_times_in_responses_are_utc_and_ids_have_their_documented_form(cloud: RunningCloud, device_id: str) -> None:
    shapes = {"dev": device_id}
    documents: list[dict[str, Any]] = []
    with cloud.client("north") as client:
        body = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}
        observed = client.post(f"{DEVICES}/{device_id}/observations", json=body).json()
        encounter = client.post(ENCOUNTERS, json={"care_model": "event_medical"}).json()
        summary = client.get(f"{ENCOUNTERS}/{encounter['id']}").json()
        documents += [observed, encounter, summary, *client.get(DEVICES).json()]
    shapes |= {"obs": observed["id"], "enc": encounter["id"]}
    for prefix, identifier in shapes.items():
        assert re.fullmatch(rf"{prefix}_[A-Za-z0-9_-]{{1,60}}", identifier)
    times = [value for one in documents for name, value in one.items() if name.endswith("_at") and value is not None]
    assert times
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", value) for value in times)


@pytest.mark.contract("C-006")
def test_responses_are_in_english_for_any_accept_language(cloud: RunningCloud) -> None:
    for host, path in (("api", "/.well-known/openapi.json"), ("docs", "/api/docs"), ("api", "/problems")):
        with cloud.client(host=host) as client:
            assert client.get(path).content == client.get(path, headers={"Accept-Language": "pl"}).content
    with cloud.client() as client:
        refused = client.get(DEVICES, headers={"Accept-Language": "pl"}).json()
    assert refused["title"] == "Token missing"


@pytest.mark.contract("C-017")
def test_audit_entry_of_a_change_contains_the_client_and_trace_id_of_the_request(cloud: RunningCloud) -> None:
    with cloud.client("north") as client:
        made = client.post(ENCOUNTERS, json={"care_model": "event_medical"})
        enrolled = client.post(
            ENROL, json={"serial_number": "SN-AUD", "device_class": "bp", "manufacturer": "Synthetic"}
        )
    entries = {row["trace_id"]: row for row in cloud.table("audit_entries")}
    for answer in (made, enrolled):
        entry = entries[answer.headers["X-Argus-Trace-ID"]]
        assert (entry["tenant_id"], entry["client_id"], entry["outcome"]) == ("tnt_one", "app_north", "done")
        assert answer.json()["id"] in entry["object"]


@pytest.mark.contract("C-018", "A-012")
def test_request_of_one_tenant_does_not_lower_the_remaining_rate_limit_of_another_tenant(cloud: RunningCloud) -> None:
    def remaining(app: str) -> int:
        with cloud.client(app) as client:
            answer = client.get(DEVICES)
        assert re.fullmatch(r'"standard";q=\d+;w=60', answer.headers["RateLimit-Policy"])
        found = re.fullmatch(r'"standard";r=(\d+);t=\d+', answer.headers["RateLimit"])
        assert found is not None
        return int(found[1])

    first, other = remaining("north"), remaining("other")
    assert remaining("north") <= first
    assert remaining("other") >= other - 1, "what one tenant asks for does not count for another"


def test_span_is_stored_with_the_tenant_of_its_request(cloud: RunningCloud) -> None:
    with cloud.client("other") as client:
        answer = client.get(DEVICES, headers={"traceparent": PARENT.replace("c80319c", "c80319d")})
    span_id = answer.headers["X-Argus-Span-ID"]
    found = until(lambda: [row for row in cloud.table("spans") if row["span_id"] == span_id])
    assert [(row["tenant_id"], row["parent_span_id"], row["name"]) for row in found] == [
        ("tnt_two", PARENT[36:52], "GET /api/v1/devices")
    ]
