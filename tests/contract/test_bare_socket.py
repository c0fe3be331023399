"""Requests that no HTTP client would send: each gets a documented error with trace headers, and the service continues.

The requests are sent over a plain socket. The parser refuses malformed requests, so they never reach a handler
(contract A-007).
"""

import re
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import httpx
import pytest

from tests.harness.bare_socket import BareConnection, BareResponse, exchange, request
from tests.harness.eventually import WITHIN_S
from tests.harness.plain_http import PLAIN
from tests.harness.running_cloud import RunningCloud

HOST = b"Host: 127.0.0.1\r\n"
GET = b"GET /health/live HTTP/1.1\r\n"

UNREADABLE = {
    "no HTTP at all": b"HELLO\r\n\r\n",
    "a TLS greeting": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32) + b"\r\n\r\n",
    "an unknown version": b"GET / HTTP/9.9\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
    "a space in the target": b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n",
    "length and chunks": b"POST / HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    "a negative length": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n",
    "a length with a sign": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: +1\r\n\r\na",
    "a length in another base": b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 0x1\r\n\r\na",
    "a folded header": GET + HOST + b"X-Note: one\r\n two\r\n\r\n",
    "no Host": GET + b"\r\n",
    "two Hosts": GET + HOST + b"Host: localhost\r\n\r\n",
    "a header without a colon": GET + HOST + b"X-Note\r\n\r\n",
    "a space before the colon": GET + HOST + b"X-Note : a\r\n\r\n",
    "a NUL in a header": GET + HOST + b"X-Note: a\x00b\r\n\r\n",
    "an unknown transfer coding": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n",
    "chunked twice": b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
}

TOO_LARGE = {
    "a header of 9 KiB": GET + HOST + b"X-Note: " + b"a" * 9216 + b"\r\n\r\n",
    "a name of 9 KiB": GET + HOST + b"X-" + b"a" * 9216 + b": a\r\n\r\n",
    "ten megabytes of headers": GET + HOST + b"X-Note: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n" * 250_000 + b"\r\n",
    "a thousand headers": GET + HOST + b"".join(b"X-Note-%d: a\r\n" % number for number in range(1000)) + b"\r\n",
}


@pytest.fixture(scope="module", autouse=True)
def slow_head(cloud: RunningCloud) -> Iterator[BareConnection]:
    """Send half of a request head before the other tests begin, so that its timeout of ten seconds passes meanwhile."""
    with closing(BareConnection(cloud.ports["docs"], patience_s=20)) as connection:
        connection.send(GET + HOST + b"X-Slow: ")
        yield connection


def check_refusal(answer: BareResponse, statuses: set[int]) -> None:
    """Check that the response is a problem document with trace headers and one of these statuses."""
    assert answer.status in statuses, answer
    assert re.fullmatch("[0-9a-f]{32}", answer.headers["x-argus-trace-id"])
    assert re.fullmatch("[0-9a-f]{16}", answer.headers["x-argus-span-id"])
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["trace_id"] == answer.headers["x-argus-trace-id"]
    assert document["status"] == answer.status
    assert document["type"].endswith(f"/problems/{document['code'].replace('_', '-')}")
    assert "server" not in answer.headers
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.contract("S-174", "C-012", "A-007")
@pytest.mark.parametrize("what", UNREADABLE)
def test_malformed_request_is_refused_and_its_connection_closed(cloud: RunningCloud, what: str) -> None:
    answer = exchange(cloud.ports["api"], UNREADABLE[what])
    check_refusal(answer, {400})
    assert answer.closed


@pytest.mark.contract("S-174", "C-012", "A-007")
@pytest.mark.parametrize("what", TOO_LARGE)
def test_request_with_headers_over_the_size_limits_is_refused_and_the_connection_closed(
    cloud: RunningCloud, what: str
) -> None:
    answer = exchange(cloud.ports["api"], TOO_LARGE[what])
    check_refusal(answer, {431})
    assert answer.closed


@pytest.mark.contract("S-174")
def test_request_target_over_the_length_limit_is_refused(cloud: RunningCloud) -> None:
    check_refusal(exchange(cloud.ports["api"], request("GET", "/" + "a" * 9216)), {414, 431})


@pytest.mark.contract("S-176")
@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND", "FOO", "get", "QUERY", "M-SEARCH"])
def test_request_with_an_unknown_method_is_refused_with_an_allow_header(cloud: RunningCloud, method: str) -> None:
    target = "/health/live"
    answer = exchange(cloud.ports["api"], request(method, target))
    check_refusal(answer, {405})
    assert answer.headers["allow"] == "GET, HEAD"


@pytest.mark.contract("S-176")
def test_request_method_cannot_be_overridden_by_a_header(cloud: RunningCloud) -> None:
    for name in ("X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override"):
        answer = exchange(cloud.ports["api"], request("GET", "/health/live", f"{name}: DELETE"))
        assert (answer.status, answer.json()["status"]) == (200, "alive")


@pytest.mark.contract("S-174")
def test_body_of_a_refused_request_is_not_parsed_as_the_next_request(cloud: RunningCloud) -> None:
    smuggled = request("GET", "/health/live")
    octets = request("POST", "/health/live", f"Content-Length: {len(smuggled)}", body=smuggled)
    with closing(BareConnection(cloud.ports["api"])) as connection:
        connection.send(octets + request("GET", "/nothing-here"))
        first = connection.answer()
        check_refusal(first, {405})
        if first.closed:
            assert connection.ended()
        else:
            check_refusal(connection.answer(), {404})


@pytest.mark.contract("S-175")
def test_pipelined_requests_get_responses_in_order_and_head_responses_have_no_body(cloud: RunningCloud) -> None:
    with closing(BareConnection(cloud.ports["api"])) as connection:
        paths = ("/.well-known/openapi.json", "/health/live", "/nothing", "/.well-known/openapi.yaml")
        connection.send(b"".join(request("HEAD", path) + request("GET", path) for path in paths))
        for path in paths:
            head, got = connection.answer(head_only=True), connection.answer()
            assert head.status == got.status, path
            same = {"content-type", "content-length", "etag", "cache-control", "access-control-allow-origin"}
            assert {name: head.headers.get(name) for name in same} == {name: got.headers.get(name) for name in same}


@pytest.mark.contract("S-193")
def test_health_route_responds_within_its_time_limit_with_a_thousand_idle_connections(cloud: RunningCloud) -> None:
    """Health responds within 50 ms, or as fast as before on a machine that is slower than that anyway.

    The medians of many requests are compared, measured in the same second with and without the connections: a scheduler
    that takes the processor away for a moment moves single times, and moves both medians alike.
    """
    with (
        httpx.Client(base_url=cloud.urls["api"], trust_env=False, verify=PLAIN, timeout=WITHIN_S) as client,
        ExitStack() as idle,
    ):

        def median_s() -> float:
            taken = []
            for _ in range(41):
                began_s = time.perf_counter()
                assert client.get("/health/live").status_code == 200
                taken.append(time.perf_counter() - began_s)
            return statistics.median(taken)

        before_s = median_s()
        for number in range(1000):
            connection = idle.enter_context(closing(socket.create_connection(("127.0.0.1", cloud.ports["api"]))))
            # A third sends nothing, a third stops within the head, a third has its response and stays.
            if number % 3 == 1:
                connection.sendall(GET)
            elif number % 3 == 2:
                connection.sendall(request("GET", "/health/live"))
                responded = connection
        assert responded.recv(1)  # the server is not busy any more with the connections that were opened before
        assert median_s() < max(0.05, 4 * before_s)


@pytest.mark.contract("S-174", "S-193")
def test_unfinished_request_head_gets_408_and_its_connection_is_closed(slow_head: BareConnection) -> None:
    check_refusal(slow_head.answer(), {408})
    assert slow_head.ended()
