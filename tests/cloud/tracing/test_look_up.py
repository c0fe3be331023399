"""An integrator looks up the trace of a request."""

from collections.abc import AsyncIterator

import pytest

from cloud.foundation.db import Database, DatabaseUnavailable
from cloud.foundation.tracing.spans import TRACE_SPANS_MAX
from tests.builders.contract_samples import sample, shape_faults
from tests.builders.trace_desk import PARENT, TRACE, TraceDesk, trace_desk

TRACES = "/v1/observability/traces/{trace_id}"
UNKNOWN = "0" * 31 + "1"


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[TraceDesk]:
    async with trace_desk(database) as made:
        yield made


@pytest.mark.contract("C-144", "C-146", "C-147", "C-148", "C-149", "A-107", "A-108")
async def test_trace_is_complete_as_soon_as_its_request_has_a_response(desk: TraceDesk) -> None:
    seen = await desk.ask("/things/1")
    document = (await desk.look_up()).document
    assert (document["trace_id"], document["complete"]) == (TRACE, True)
    server, *inner = document["spans"]
    assert server["span_id"] == seen.headers["X-Argus-Span-ID"]
    assert (server["parent_span_id"], server["kind"], server["status"]) == (PARENT, "server", "ok")
    assert server["attributes"] == {
        "http.request.method": "GET",
        "http.route": "/things/{id}",
        "http.response.status_code": 200,
        "server.host": "api",
    }
    assert [(one["name"], one["kind"], one["status"]) for one in inner] == [
        ("db.transaction", "client", "ok"),
        ("db.read", "client", "ok"),
    ]
    assert {one["parent_span_id"] for one in inner} == {server["span_id"]}
    assert inner[0]["attributes"] == {"db.system.name": desk.parts.database.dialect}
    starts = [one["start_time"] for one in document["spans"]]
    assert starts == sorted(starts)


@pytest.mark.contract("C-146")
async def test_response_has_the_fields_of_the_contract_sample(desk: TraceDesk) -> None:
    await desk.ask("/things/1")
    answer = {**sample("GET", TRACES).answer, "spans": []}
    assert shape_faults(answer, {**(await desk.look_up()).document, "spans": []}) == []


@pytest.mark.contract("A-008", "A-108", "S-060", "S-179", "A-006")
async def test_trace_id_that_two_tenants_use_gives_each_its_own_spans(desk: TraceDesk) -> None:
    for who in ("north", "south", "south"):
        await desk.ask("/things/1", who)
    servers = {
        who: [one for one in await desk.spans_of(who=who) if one["kind"] == "server"] for who in ("north", "south")
    }
    assert {who: len(of_tenant) for who, of_tenant in servers.items()} == {"north": 1, "south": 2}
    own = (await desk.ask("/things/1", "north", trace=None)).headers["X-Argus-Trace-ID"]
    foreign, absent = await desk.look_up(own, "south"), await desk.look_up(UNKNOWN, "south")
    assert foreign.status == absent.status == 404
    assert all({**one.document, "trace_id": "", "instance": ""}["code"] == "trace_unknown" for one in (foreign, absent))


@pytest.mark.contract("S-179", "A-108")
@pytest.mark.parametrize("given", [TRACE.upper(), TRACE[:-1], f"{TRACE}0", "0" * 32, "nonsense", "%E2%82%AC"])
async def test_malformed_trace_id_is_refused_with_400(desk: TraceDesk, given: str) -> None:
    refused = await desk.look_up(given)
    assert (refused.status, refused.code) == (400, "trace_id_malformed")


@pytest.mark.contract("C-145")
async def test_look_up_needs_its_scope(desk: TraceDesk) -> None:
    assert (await desk.look_up(who="blind")).code == "insufficient_scope"


@pytest.mark.contract("S-179", "S-144")
async def test_attributes_have_no_query_strings_ids_of_the_path_or_tokens(desk: TraceDesk) -> None:
    await desk.ask("/things/canary-id?note=canary-query", **{"X-Note": "canary-header"})
    found = await desk.look_up()
    assert found.document["spans"][0]["attributes"]["error.type"] == "invalid_query"
    assert b"canary" not in found.body
    assert b"Bearer" not in found.body


@pytest.mark.contract("S-117")
async def test_error_that_a_response_masks_is_in_the_trace_by_its_class_alone(desk: TraceDesk) -> None:
    assert (await desk.ask("/things/masked")).status == 200
    found = await desk.look_up()
    server = found.document["spans"][0]
    assert (server["status"], server["attributes"]["error.type"]) == ("error", "ValueError")
    assert b"canary" not in found.body


@pytest.mark.contract("C-150", "C-151", "A-109")
async def test_look_up_without_the_database_gets_503_with_a_hint_and_the_trace_is_kept(
    desk: TraceDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.ask("/things/1")

    def lost() -> None:
        raise DatabaseUnavailable

    with monkeypatch.context() as patched:
        patched.setattr(desk.spans._database, "transaction", lost)
        told = await desk.look_up()
    assert (told.status, told.code, told.headers["Retry-After"]) == (503, "traces_unreachable", "5")
    assert told.document["query_hint"] == "use_your_backend"
    assert told.document["trace_id"] == told.headers["X-Argus-Trace-ID"]
    assert len(await desk.spans_of()) == 3


async def test_trace_with_too_many_spans_is_returned_in_part_and_says_so(
    desk: TraceDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.foundation.tracing.spans.TRACE_ROWS_MAX", 3)
    assert TRACE_SPANS_MAX > 9
    for _ in range(4):
        await desk.ask("/things/1")
    document = (await desk.look_up()).document
    assert (len(document["spans"]), document["complete"]) == (9, False)
