"""Limits on the rate, size and time of requests (contract A-012, S-031, S-174, S-190 … S-193)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel, ConfigDict

from cloud.foundation.http import ANY_TOKEN, CLIENT_AUTHENTICATED, Json, RateClass, Request, Response, incoming_request
from cloud.foundation.http import admission as admissions
from cloud.foundation.http import pipeline as pipelines
from cloud.foundation.http.rates import BucketLimiter, Policy, address_class
from cloud.foundation.http.settings import HttpSection
from tests.builders.cloud_people import HandClock
from tests.builders.http_client import Client, client_of
from tests.builders.http_surface import KnownTokens, caller, route, surface

NORTH, SOUTH = {"Authorization": "Bearer north"}, {"Authorization": "Bearer south"}
MINUTE_US = 60_000_000


class Anything(BaseModel):
    model_config = ConfigDict(extra="allow")


async def forever(_request: Request) -> Response:
    await asyncio.Event().wait()
    return Json({})


async def size(request: Request) -> Response:
    return Json({"octets": len(request.raw_body)})


ROUTES = (
    route("/mine", scopes=ANY_TOKEN),
    route("/written", scopes=ANY_TOKEN, rate_class=RateClass.WRITE),
    route("/public", rate_class=RateClass.PUBLIC),
    route("/forever", forever),
    route("/size", size, method="POST", body=Anything),
    route("/unread", method="POST"),
)


def tokens() -> KnownTokens:
    return KnownTokens({"north": caller(), "south": caller(tenant="tnt_south", client="app_south")})


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with surface(*ROUTES) as served, client_of(served) as asked:
        yield asked


@pytest.mark.contract("S-190", "A-012", "C-018")
async def test_client_over_its_request_quota_gets_429_while_other_clients_are_served() -> None:
    clock = HandClock()
    limits = HttpSection(requests_per_minute=3)
    async with surface(*ROUTES, tokens=tokens(), limits=limits, clock=clock) as served, client_of(served) as client:
        shown = [await client.ask("/mine", headers=NORTH) for _ in range(4)]
        assert [refused.status for refused in shown] == [200, 200, 200, 429]
        assert [refused.headers["RateLimit"] for refused in shown] == [
            '"standard";r=2;t=20',
            '"standard";r=1;t=40',
            '"standard";r=0;t=60',
            '"standard";r=0;t=60',
        ]
        assert shown[0].headers["RateLimit-Policy"] == '"standard";q=3;w=60'
        assert (shown[3].code, shown[3].headers["Retry-After"]) == ("rate_limited", "20")
        assert (await client.ask("/mine", headers=SOUTH)).status == 200
        assert (await client.ask("/written", headers=NORTH)).status == 200, "another class has a bucket of its own"
        clock.advance(us=20_000_000)
        assert (await client.ask("/mine", headers=NORTH)).status == 200


@pytest.mark.contract("S-191")
async def test_concurrent_requests_of_one_client_do_not_exceed_its_request_quota() -> None:
    limits = HttpSection(requests_per_minute=100)
    clock = HandClock()
    async with surface(*ROUTES, tokens=tokens(), limits=limits, clock=clock) as served, client_of(served) as client:
        refused = await asyncio.gather(*(client.ask("/mine", headers=NORTH) for _ in range(200)))
    assert sorted(one.status for one in refused) == [200] * 100 + [429] * 100


@pytest.mark.contract("S-192", "S-031")
async def test_flood_of_malformed_tokens_is_refused_with_429_without_a_signature_check() -> None:
    clock, known = HandClock(), tokens()
    limits = HttpSection(failures_per_minute=3)
    async with surface(*ROUTES, tokens=known, limits=limits, clock=clock) as served, client_of(served) as client:
        statuses = [(await client.ask("/mine", headers={"Authorization": "Bearer x"})).status for _ in range(5)]
        assert statuses == [401, 401, 401, 429, 429]
        assert known.signatures == 0
        clock.advance(us=MINUTE_US)
        assert (await client.ask("/mine", headers={"Authorization": "Bearer x"})).status == 401


@pytest.mark.contract("A-012", "S-192")
@pytest.mark.finding("cloud-1")
@pytest.mark.parametrize("flood", [{}, {"Authorization": "Bearer x"}, {"Authorization": "Basic eDp4"}])
async def test_valid_token_is_accepted_from_an_address_that_exceeded_the_limit_of_failed_requests(
    flood: dict[str, str],
) -> None:
    limits = HttpSection(failures_per_minute=3)
    async with (
        surface(*ROUTES, tokens=tokens(), limits=limits, clock=HandClock()) as served,
        client_of(served) as client,
    ):
        assert (await client.ask("/mine", headers=NORTH)).status == 200
        for _ in range(10):
            await client.ask("/mine", headers=flood)
        assert (await client.ask("/mine", headers=flood)).status == 429
        assert (await client.ask("/mine", headers=NORTH)).status == 200
        assert (await client.ask("/mine", headers=SOUTH)).status == 200, "also at first sight"


async def test_number_of_signature_checks_is_limited_for_an_address_with_many_forged_tokens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(admissions, "SIGNATURE_CHECKS", Policy("signature-checks", 5))
    clock, limits = HandClock(), HttpSection(failures_per_minute=3)
    people = {f"good-{number}": caller() for number in range(20)}
    known = KnownTokens(people)
    async with surface(*ROUTES, tokens=known, limits=limits, clock=clock) as served, client_of(served) as client:
        assert (await client.ask("/mine", headers={"Authorization": "Bearer good-0"})).status == 200
        for number in range(4):
            await client.ask("/mine", headers={"Authorization": f"Bearer forged-{number}"})
        # The failures are used up. Valid tokens cost nothing, however many of them are new.
        for number in range(1, 15):
            assert (await client.ask("/mine", headers={"Authorization": f"Bearer good-{number}"})).status == 200
        before = known.signatures
        statuses = [
            (await client.ask("/mine", headers={"Authorization": f"Bearer forged-{number}"})).status
            for number in range(4, 24)
        ]
        assert set(statuses) == {429}
        assert known.signatures - before <= 5
        assert (await client.ask("/mine", headers={"Authorization": "Bearer good-0"})).status == 200, "known already"
        refused = await client.ask("/mine", headers={"Authorization": "Bearer good-15"})
        assert (refused.status, refused.headers["Retry-After"]) == (429, "12")
        clock.advance(us=12_000_000)
        assert (await client.ask("/mine", headers={"Authorization": "Bearer good-15"})).status == 200


@pytest.mark.contract("S-031")
async def test_unauthenticated_requests_to_other_routes_do_not_use_up_the_limit_of_the_token_endpoint() -> None:
    async def refuse(_request: Request) -> Response:
        return Response(401)

    row = route("/token", refuse, method="POST", scopes=CLIENT_AUTHENTICATED)
    limits = HttpSection(failures_per_minute=3)
    async with surface(*ROUTES, row, limits=limits, clock=HandClock()) as served, client_of(served) as client:
        for _ in range(5):
            await client.ask("/mine")
        statuses = [(await client.ask("/token", "POST")).status for _ in range(4)]
    assert statuses == [401, 401, 401, 429]


@pytest.mark.contract("S-192", "A-012")
async def test_requests_without_a_token_have_the_same_limit_on_existing_and_unknown_paths() -> None:
    limits = HttpSection(public_per_minute=4)
    for paths in (("/public",) * 5, ("/nothing",) * 5):
        async with surface(*ROUTES, limits=limits, clock=HandClock()) as served, client_of(served) as client:
            statuses = [(await client.ask(path)).status for path in paths]
        assert statuses[-1] == 429
        assert 429 not in statuses[:-1]


async def test_each_client_behind_a_trusted_proxy_has_its_own_rate_limit() -> None:
    limits = HttpSection(public_per_minute=1, trusted_proxies=("127.0.0.0/8",))
    async with surface(*ROUTES, limits=limits, clock=HandClock()) as served, client_of(served) as client:
        for address, status in (
            ("192.0.2.1", 200),
            ("192.0.2.2", 200),
            ("192.0.2.1", 429),
            ("9.9.9.9, 192.0.2.1", 429),
        ):
            refused = await client.ask("/public", headers={"X-Forwarded-For": address})
            assert refused.status == status, address
    limits = HttpSection(public_per_minute=1)
    async with surface(*ROUTES, limits=limits, clock=HandClock()) as served, client_of(served) as client:
        statuses = [(await client.ask("/public", headers={"X-Forwarded-For": f"192.0.2.{n}"})).status for n in (1, 2)]
        assert statuses == [200, 429], "a header that nobody vouches for buys nothing"


def test_ipv6_addresses_with_the_same_64_bit_prefix_count_as_one_address_for_rate_limits() -> None:
    assert address_class("192.0.2.7") == "192.0.2.7"
    assert address_class("::ffff:192.0.2.7") == "192.0.2.7"
    assert address_class("2001:db8::1") == address_class("2001:db8::ffff:1%eth0") == "2001:db8::/64"
    assert address_class("2001:db8:0:1::1") == "2001:db8:0:1::/64"


def test_number_of_rate_limit_buckets_in_memory_is_bounded() -> None:
    limiter = BucketLimiter(HandClock(), buckets_max=2)
    policy = Policy("p", 1)
    for key in ("a", "b", "c"):
        limiter.draw(policy, key)
    assert [limiter.look(policy, key).allowed for key in ("a", "b", "c")] == [True, False, False]


@pytest.mark.contract("S-146", "A-003")
async def test_request_body_over_one_mebibyte_is_refused_with_or_without_content_length(client: Client) -> None:
    whole = b'{"a":"' + b"x" * (1024 * 1024 - 8) + b'"}'
    assert (await client.ask("/size", "POST", headers={"Content-Type": "application/json"}, data=whole)).status == 200
    refused = await client.ask("/size", "POST", headers={"Content-Type": "application/json"}, data=whole + b" ")
    assert (refused.status, refused.code) == (413, "body_too_large")

    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 65536

    url = client.surface.url("/size")
    async with client.session.post(url, data=chunks(), headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413


@pytest.mark.contract("S-193")
async def test_request_whose_body_does_not_arrive_in_time_gets_408(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(incoming_request, "BODY_S_MAX", 0.05)
    reader, writer = await asyncio.open_connection(*client.surface.at())
    writer.write(
        b"POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{"
    )
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"X-Argus-Trace-ID: " in answer
    writer.close()


async def test_handler_over_its_time_limit_is_cancelled_with_503(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipelines, "HANDLER_S_MAX", 0.05)
    refused = await client.ask("/forever")
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "took_too_long", "5")


async def test_response_100_continue_is_sent_only_when_the_server_will_read_the_request_body(client: Client) -> None:
    head = (
        "POST /size HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Expect: {}\r\nConnection: close\r\n\r\n"
    )
    reader, writer = await asyncio.open_connection(*client.surface.at())
    writer.write(head.format(2, "100-continue").encode())
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.read()).startswith(b"HTTP/1.1 200 ")
    writer.close()
    for length, expect, status in ((2, "the-moon", b"417"), (5_000_000, "100-continue", b"413")):
        reader, writer = await asyncio.open_connection(*client.surface.at())
        writer.write(head.format(length, expect).encode())
        assert (await reader.read()).startswith(b"HTTP/1.1 " + status)
        writer.close()


async def test_request_body_that_the_handler_does_not_read_is_not_parsed_as_the_next_request(client: Client) -> None:
    reader, writer = await asyncio.open_connection(*client.surface.at())
    inner = b"GET /public HTTP/1.1\r\nHost: localhost\r\n\r\n"
    head = b"POST /unread HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(inner)
    writer.write(head + inner + b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    answers = await reader.read()
    assert answers.count(b"HTTP/1.1 200 ") == 1
    assert answers.count(b"HTTP/1.1 404 ") == 1
    writer.close()
