"""A request repeated with its Idempotency-Key changes nothing and gets the first response (contract C-158, C-159)."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from cloud.access.tenancy.tables import tenants
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import Database
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Created, Request, Response, Scopes
from cloud.foundation.http import idempotency as idempotencies
from cloud.foundation.http.tables import idempotency_keys
from cloud.foundation.ids import UlidIds
from tests.builders.cloud_people import HandClock
from tests.builders.http_client import Client, client_of
from tests.builders.http_surface import KnownTokens, caller, route, surface
from tests.builders.parts import sweep_once

HOUR_US = 3600 * 1_000_000
NORTH, OTHER_APP = {"Authorization": "Bearer north"}, {"Authorization": "Bearer other-app"}
SOUTH = {"Authorization": "Bearer south"}
ADA, ADA_ELSEWHERE = {"Authorization": "Bearer ada"}, {"Authorization": "Bearer ada-elsewhere"}
BEN = {"Authorization": "Bearer ben"}


class Thing(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")
    name: str
    size: int = 0


class NameRefused(DomainError):
    """This name is not accepted."""

    code = "name_refused"
    status = 422


class Things:
    """Handlers of a test resource, whose objects are stored in the existing table of tenants."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ids = UlidIds(SystemClock())
        self.pause = asyncio.Event()
        self.pause.set()
        self.begun = asyncio.Event()

    async def make(self, request: Request) -> Response:
        thing = self.ids.new("tnt")
        async with self.database.transaction() as tx:
            replay = await request.idempotent_reply.replay(tx)
            if replay is not None:
                return replay
            await tx.execute(tenants.insert().values(id=thing, name=request.body.name, created_at_us=1))
            if request.body.name == "refused":
                raise NameRefused
            self.begun.set()
            await self.pause.wait()
            return await request.idempotent_reply.store(tx, Created({"id": thing}, location=f"/things/{thing}"))

    async def count(self) -> int:
        async with self.database.read() as tx:
            return int((await tx.execute(select(func.count()).select_from(tenants))).scalar())


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def things(database: Database) -> Things:
    return Things(database)


@pytest.fixture
async def client(things: Things, clock: HandClock) -> AsyncIterator[Client]:
    tokens = KnownTokens(
        {
            "north": caller(),
            "other-app": caller(client="app_other"),
            "south": caller(tenant="tnt_south", client="app_south"),
            "ada": caller(subject="usr_ada"),
            "ada-elsewhere": caller(subject="usr_ada", organization="org_south"),
            "ben": caller(subject="usr_ben"),
        }
    )
    rows = [
        route(path, things.make, method="POST", scopes=Scopes.any_of("read"), body=Thing, idempotent=True)
        for path in ("/things", "/others")
    ]
    async with surface(*rows, tokens=tokens, clock=clock) as served, client_of(served) as asked:
        yield asked


@pytest.mark.contract("C-158", "C-159", "A-070", "A-072", "S-131", "S-132")
@pytest.mark.finding("cloud-10")
async def test_request_repeated_with_its_idempotency_key_gets_the_first_response_and_adds_no_row(
    client: Client, things: Things
) -> None:
    first = await client.ask(
        "/things", "POST", headers={**NORTH, "Idempotency-Key": "k-1"}, json={"name": "a", "size": 1}
    )
    assert first.status == 201
    assert first.headers["Idempotency-Key"] == "k-1"
    assert "Idempotency-Replayed" not in first.headers
    for key, body in (("k-1", {"name": "a", "size": 1}), ('"k-1"', {"size": 1, "name": "a"})):
        again = await client.ask("/things", "POST", headers={**NORTH, "Idempotency-Key": key}, json=body)
        assert (again.status, again.body) == (200, first.body)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert again.headers.getall("Idempotency-Key") == ["k-1"]
        assert again.headers["Location"] == first.headers["Location"]
        assert again.headers["X-Argus-Trace-ID"] != first.headers["X-Argus-Trace-ID"]
    assert await things.count() == 1


@pytest.mark.contract("A-068", "A-071", "S-067", "S-068", "S-131")
async def test_idempotency_key_is_bound_to_its_tenant_and_app_and_path_and_body(client: Client, things: Things) -> None:
    key = {"Idempotency-Key": "k-1"}
    assert (await client.ask("/things", "POST", headers={**NORTH, **key}, json={"name": "a"})).status == 201
    for path, who, name in (("/things", NORTH, "b"), ("/others", NORTH, "a"), ("/things", OTHER_APP, "a")):
        refused = await client.ask(path, "POST", headers={**who, **key}, json={"name": name})
        assert (refused.status, refused.code) == (422, "idempotency_key_reused")
    assert (await client.ask("/things", "POST", headers={**SOUTH, **key}, json={"name": "a"})).status == 201
    assert await things.count() == 2


@pytest.mark.contract("A-068", "A-071")
@pytest.mark.finding("cloud-9")
async def test_idempotency_key_used_by_another_organisation_or_user_is_refused_without_a_replay(
    client: Client, things: Things
) -> None:
    key = {"Idempotency-Key": "k-1"}
    first = await client.ask("/things", "POST", headers={**ADA, **key}, json={"name": "a"})
    assert first.status == 201
    for who in (ADA_ELSEWHERE, BEN):
        refused = await client.ask("/things", "POST", headers={**who, **key}, json={"name": "a"})
        assert (refused.status, refused.code) == (422, "idempotency_key_reused")
        assert refused.headers["Idempotency-Key"] == "k-1"
        assert first.document["id"].encode() not in refused.body
    assert (await client.ask("/things", "POST", headers={**ADA, **key}, json={"name": "a"})).body == first.body
    assert await things.count() == 1


@pytest.mark.contract("A-071", "S-133")
async def test_idempotency_key_of_a_refused_request_can_be_used_again(client: Client, things: Things) -> None:
    key = {**NORTH, "Idempotency-Key": "k-1"}
    assert (await client.ask("/things", "POST", headers=key, json={"name": "refused"})).code == "name_refused"
    assert (await client.ask("/things", "POST", headers=key, json={"name": "a"})).status == 201
    assert await things.count() == 1


@pytest.mark.contract("A-071", "S-134")
async def test_idempotency_key_is_kept_for_24_hours(client: Client, things: Things, clock: HandClock) -> None:
    key = {**NORTH, "Idempotency-Key": "k-1"}
    assert (await client.ask("/things", "POST", headers=key, json={"name": "a"})).status == 201
    clock.advance(us=24 * HOUR_US - 1)
    assert (await client.ask("/things", "POST", headers=key, json={"name": "a"})).status == 200
    clock.advance(us=1)
    assert (await client.ask("/things", "POST", headers=key, json={"name": "b"})).status == 201
    assert await things.count() == 2
    clock.advance(us=24 * HOUR_US + 1)
    assert await sweep_once(things.database, clock, "idempotency_keys") == 1
    async with things.database.read() as tx:
        assert len(await tx.execute(select(idempotency_keys))) == 0


@pytest.mark.contract("A-069", "S-130")
async def test_concurrent_requests_with_one_idempotency_key_make_one_change_and_get_one_response(
    client: Client, things: Things
) -> None:
    key = {**NORTH, "Idempotency-Key": "k-1"}
    refused = await asyncio.gather(*(client.ask("/things", "POST", headers=key, json={"name": "a"}) for _ in range(20)))
    assert sorted(one.status for one in refused) == [200] * 19 + [201]
    assert len({one.body for one in refused}) == 1
    assert await things.count() == 1


@pytest.mark.contract("A-069")
@pytest.mark.pg
async def test_request_with_a_used_idempotency_key_gets_409_while_the_first_request_is_in_progress(
    client: Client, things: Things, monkeypatch: pytest.MonkeyPatch
) -> None:
    if things.database.dialect == "sqlite":
        return  # one writer: the repeated request queues for it, under the queue's own limit
    monkeypatch.setattr(idempotencies, "WAIT_S_MAX", 0.2)
    key = {**NORTH, "Idempotency-Key": "k-1"}
    things.pause.clear()
    first = asyncio.ensure_future(client.ask("/things", "POST", headers=key, json={"name": "a"}))
    await things.begun.wait()
    refused = await client.ask("/things", "POST", headers=key, json={"name": "a"})
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (409, "idempotency_key_in_flight", "5")
    things.pause.set()
    assert (await first).status == 201
    assert (await client.ask("/things", "POST", headers=key, json={"name": "a"})).status == 200


@pytest.mark.contract("A-070", "S-132")
async def test_malformed_idempotency_key_is_refused(client: Client, things: Things) -> None:
    for key in ("", "k" * 256, "k k", '"k', "k\u00e9", 'k"k', '""'):
        refused = await client.ask("/things", "POST", headers={**NORTH, "Idempotency-Key": key}, json={"name": "a"})
        assert (refused.status, refused.code) == (400, "invalid_idempotency_key"), key
    both = [*NORTH.items(), ("Content-Type", "application/json"), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    assert (await client.ask("/things", "POST", headers=both, data=b'{"name":"a"}')).status == 400
    assert await things.count() == 0


async def test_each_request_without_an_idempotency_key_adds_its_own_row(client: Client, things: Things) -> None:
    for _ in range(2):
        assert (await client.ask("/things", "POST", headers=NORTH, json={"name": "a"})).status == 201
    assert await things.count() == 2
