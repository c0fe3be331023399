"""Every response has trace and security headers, and HEAD and conditional requests work (contract C-012, A-004, A-007,
A-008).
"""

import re
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from cloud.foundation.db import DatabaseUnavailable
from cloud.foundation.http import Json, NoContent, Request, Response, Scopes, strong_etag
from cloud.foundation.trace import begin_trace
from tests.builders.cloud_people import HandClock
from tests.builders.http_client import GOOD, Client, client_of
from tests.builders.http_surface import BASES, route, surface

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
BODY = b'{"document":1}'


async def document(_request: Request) -> Response:
    return Response(
        200, BODY, "application/json", headers={"Cache-Control": "public, max-age=300"}, etag=strong_etag(BODY)
    )


async def down(_request: Request) -> Response:
    raise DatabaseUnavailable


async def smuggling(_request: Request) -> Response:
    return Json({}, headers={"Location": "/a\r\nSet-Cookie: a=b"})


async def versioned(request: Request) -> Response:
    request.require_match('"v2"')
    return NoContent()


async def seen(request: Request) -> Response:
    return Json({"traceparent": request.trace.traceparent, "parent": request.trace.parent_span_id})


ROUTES = (
    route("/document", document, open_to_browsers=True),
    route("/down", down),
    route("/smuggling", smuggling),
    route("/versioned", versioned, method="PUT"),
    route("/trace", seen),
    route("/token", scopes=Scopes.any_of("read")),
    route("/old", deprecated_on=date(2026, 1, 1), sunset_on=date(2027, 3, 1), successor="/document"),
)


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with surface(*ROUTES) as served, client_of(served) as asked:
        yield asked


@pytest.mark.contract("C-012", "A-007", "S-177", "A-016")
async def test_every_http_response_has_trace_and_security_headers(client: Client) -> None:
    asked = [("/document", {}), ("/down", {}), ("/nothing", {}), ("/token", {}), ("/token", GOOD), ("/smuggling", {})]
    for path, headers in [*asked, ("/document", {"Host": "evil.example"}), ("/document", {"If-None-Match": "*"})]:
        told = await client.ask(path, headers=headers)
        assert re.fullmatch(r"[0-9a-f]{32}", told.headers["X-Argus-Trace-ID"])
        assert re.fullmatch(r"[0-9a-f]{16}", told.headers["X-Argus-Span-ID"])
        assert told.headers["X-Content-Type-Options"] == "nosniff"
        assert told.headers["X-Argus-Contract"] == "2026.4"
        assert "Server" not in told.headers
    assert "Strict-Transport-Security" in (await client.ask("/document")).headers


async def test_hosts_without_tls_send_no_strict_transport_security_header() -> None:
    plain = {host: base.replace("https", "http") for host, base in BASES.items()}
    async with surface(*ROUTES, bases=plain) as served, client_of(served) as client:
        assert "Strict-Transport-Security" not in (await client.ask("/document")).headers


async def test_response_with_a_line_break_in_a_header_is_replaced_by_a_500_response(client: Client) -> None:
    told = await client.ask("/smuggling")
    assert told.status == 500
    assert "Set-Cookie" not in told.headers


@pytest.mark.contract("C-147", "C-148", "A-008")
async def test_traceparent_of_the_caller_is_continued_with_or_without_the_sampled_flag(client: Client) -> None:
    for flags in ("01", "00"):
        told = await client.ask("/trace", headers={"traceparent": f"00-{TRACE}-{PARENT}-{flags}"})
        assert told.headers["X-Argus-Trace-ID"] == TRACE
        span = told.headers["X-Argus-Span-ID"]
        assert told.document == {"traceparent": f"00-{TRACE}-{span}-01", "parent": PARENT}


@pytest.mark.contract("S-180", "A-008")
@pytest.mark.parametrize(
    "given",
    [
        f"00-{TRACE.upper()}-{PARENT}-01",
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE}-{PARENT}-01-more",
        f"00-{TRACE[:-1]}-{PARENT}-01",
        f"00-{TRACE}-{PARENT}",
        "nonsense",
        "",
    ],
)
def test_malformed_traceparent_begins_a_new_trace(given: str) -> None:
    began = begin_trace(given)
    assert began.trace_id != TRACE
    assert began.parent_span_id is None


def test_traceparent_of_a_later_version_with_more_fields_is_continued() -> None:
    for given in (f"cc-{TRACE}-{PARENT}-01-what-comes", f"01-{TRACE}-{PARENT}-01", f"fe-{TRACE}-{PARENT}-00-"):
        assert begin_trace(given).trace_id == TRACE
    assert begin_trace(f"cc-{TRACE}-{PARENT}-01.what-comes").trace_id != TRACE


@pytest.mark.contract("S-180", "A-008")
async def test_two_traceparent_headers_begin_a_new_trace(client: Client) -> None:
    parents = [("traceparent", f"00-{TRACE}-{span}-01") for span in (PARENT, PARENT[::-1])]
    told = await client.ask("/trace", headers=parents)
    assert told.status == 200
    assert told.headers["X-Argus-Trace-ID"] != TRACE


@pytest.mark.contract("A-008", "C-147")
@pytest.mark.parametrize(
    "states",
    [
        ["vendor=1"],
        ["", "vendor=1,,other=2 "],
        ["same=1,same=2"],
        [",".join(f"v{number}=1" for number in range(33))],
        ["vendor=" + "v" * 600],
        ["no member", "=", "UPPER=1", "a@b@c=1", "vendor=\u00e9"],
    ],
    ids=["valid", "empty", "repeated", "33 members", "over 512 characters", "malformed"],
)
async def test_tracestate_neither_refuses_a_request_nor_ends_its_trace(client: Client, states: list[str]) -> None:
    parent = ("traceparent", f"00-{TRACE}-{PARENT}-01")
    told = await client.ask("/trace", headers=[parent, *(("tracestate", state) for state in states)])
    assert told.status == 200
    assert told.headers["X-Argus-Trace-ID"] == TRACE
    assert "tracestate" not in told.headers


def test_generated_trace_and_span_ids_do_not_repeat() -> None:
    drawn = [begin_trace() for _ in range(1000)]
    assert len({one.trace_id for one in drawn} | {one.span_id for one in drawn}) == 2000


@pytest.mark.contract("S-171", "A-135", "C-252")
async def test_get_request_with_a_matching_etag_in_if_none_match_gets_304(client: Client) -> None:
    tag = (await client.ask("/document")).headers["ETag"]
    for given in (tag, f"W/{tag}", "*", f'"other", {tag}'):
        told = await client.ask("/document", headers={"If-None-Match": given})
        assert (told.status, told.body, told.headers["ETag"]) == (304, b"", tag)
        assert told.headers["Cache-Control"] == "public, max-age=300"
    assert (await client.ask("/document", headers={"If-None-Match": '"other"'})).status == 200


@pytest.mark.contract("A-046")
async def test_put_request_with_an_outdated_etag_in_if_match_is_refused(client: Client) -> None:
    assert (await client.ask("/versioned", "PUT", headers={"If-Match": '"v1"'})).code == "precondition_failed"
    for given in ('"v2"', '"v1", "v2"', "*"):
        assert (await client.ask("/versioned", "PUT", headers={"If-Match": given})).status == 204
    assert (await client.ask("/versioned", "PUT", headers={"If-Match": 'W/"v2"'})).status == 412


@pytest.mark.contract("S-175")
async def test_response_to_a_head_request_has_the_headers_of_the_get_response_and_no_body(client: Client) -> None:
    for path in ("/document", "/nothing", "/old"):
        got, head = await client.ask(path), await client.ask(path, "HEAD")
        assert (head.status, head.body) == (got.status, b"")
        changing = {"Date", "X-Argus-Trace-ID", "X-Argus-Span-ID", "RateLimit"}
        assert set(head.headers) == set(got.headers)
        assert all(head.headers[name] == got.headers[name] for name in set(got.headers) - changing)


@pytest.mark.contract("A-004")
async def test_only_responses_with_public_documents_have_cors_headers(client: Client) -> None:
    origin = {"Origin": "https://elsewhere.example"}
    assert (await client.ask("/document", headers=origin)).headers["Access-Control-Allow-Origin"] == "*"
    asked = await client.ask("/document", "OPTIONS", headers=origin)
    assert (asked.status, asked.headers["Access-Control-Allow-Methods"]) == (204, "GET, HEAD")
    for path in ("/down", "/nothing"):
        assert "Access-Control-Allow-Origin" not in (await client.ask(path, headers=origin)).headers
    assert (await client.ask("/down", "OPTIONS", headers=origin)).status == 405


@pytest.mark.contract("S-178", "C-273", "A-143")
async def test_deprecated_route_announces_its_sunset_date_and_returns_410_after_that_date() -> None:
    clock = HandClock()
    async with surface(*ROUTES, clock=clock) as served, client_of(served) as client:
        told = await client.ask("/old")
        assert told.status == 200
        assert told.headers["Deprecation"] == f"@{int(datetime(2026, 1, 1, tzinfo=UTC).timestamp())}"
        assert told.headers["Sunset"] == "Mon, 01 Mar 2027 00:00:00 GMT"
        matrix = "https://api.example.org/.well-known/deprecations.json"
        assert told.headers.getall("Link") == [
            f'<{matrix}>; rel="deprecation"; type="application/json"',
            f'<{matrix}>; rel="sunset"; type="application/json"',
            '<https://api.example.org/document>; rel="successor-version"',
        ]
        assert "Deprecation" not in (await client.ask("/document")).headers
        clock.advance(us=int(datetime(2027, 3, 1, tzinfo=UTC).timestamp() * 1e6) - clock.now_us())
        assert (await client.ask("/old")).status == 410


@pytest.mark.contract("S-194")
async def test_request_during_a_database_outage_gets_503_with_retry_after(client: Client) -> None:
    told = await client.ask("/down")
    assert (told.status, told.code, told.headers["Retry-After"]) == (503, "database_unavailable", "5")
    assert (await client.ask("/document")).status == 200
