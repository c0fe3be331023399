"""Service tokens and app secrets: which apps get them, what they permit, and when they expire.

The database stores no token and no secret in clear.
"""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from cloud.foundation.db import postgresql_pool
from cloud.foundation.http import Host
from tests.builders.auth_world import DEVICES, WEBHOOKS, AuthWorld
from tests.builders.platform_admin import APPS, platform
from tests.harness.auth_server import auth_server
from tests.harness.eventually import WITHIN_S

HOUR_MINUTES = 60
SEEN_S = 3.0


@pytest.mark.contract("C-041", "C-043", "C-044", "C-045", "A-028", "S-023")
async def test_service_token_is_valid_for_a_day_and_names_the_app_as_its_subject(world_on_either: AuthWorld) -> None:
    async with platform(world_on_either) as it:
        app = await it.register(requested_scopes=[WEBHOOKS, DEVICES])
        path = f"{APPS}/{app['client_id']}/service-token"
        await it.govern(app, allow_service_tokens=True)
        minted = await it.ask("POST", path, {"scopes": [DEVICES]})
        assert (minted.status, set(minted.document)) == (201, {"token", "expires_at"})
        assert minted.document["expires_at"] == "2026-03-25T12:00:00.000000Z"
        assert minted.headers["Cache-Control"] == "no-store"
        claims = await it.world.surface.verifier.claims(minted.document["token"])
        assert claims is not None
        assert (claims.holder.subject, claims.holder.use, claims.holder.scopes) == (
            app["client_id"],
            "service",
            (DEVICES,),
        )
        assert (await it.server.probe(minted.document["token"])).status == 200
        whole = await it.ask("POST", path, {"ttl_seconds": 90 * 86_400})
        assert whole.document["expires_at"] == "2026-06-22T12:00:00.000000Z"
        claims = await it.world.surface.verifier.claims(whole.document["token"])
        assert claims is not None
        assert set(claims.holder.scopes) == {WEBHOOKS, DEVICES}
        it.world.pass_time(minutes=24 * HOUR_MINUTES)
        assert (await it.server.probe(minted.document["token"])).status == 401
        assert (await it.server.probe(whole.document["token"])).status == 200


@pytest.mark.contract("C-047", "S-029", "A-028", "A-029", "C-064")
async def test_service_token_request_is_refused_when_governance_or_the_approved_scopes_do_not_allow_it(
    world: AuthWorld,
) -> None:
    async with platform(world) as it:
        app = await it.register()
        path = f"{APPS}/{app['client_id']}/service-token"
        refused = await it.ask("POST", path, {"scopes": [WEBHOOKS]})
        assert (refused.status, refused.document["code"]) == (403, "service_tokens_disabled")
        await it.govern(app, allow_service_tokens=True)
        for body, code in (
            ({"scopes": [DEVICES]}, "invalid_scope"),
            ({"scopes": [WEBHOOKS, DEVICES]}, "invalid_scope"),
            ({"scopes": ["argus:platform:admin"]}, "invalid_scope"),
            ({"scopes": ["argus:everything"]}, "invalid_scope"),
            ({"scopes": []}, "invalid_body"),
            ({"scopes": WEBHOOKS}, "invalid_body"),
            ({"ttl_seconds": 59}, "invalid_ttl"),
            ({"ttl_seconds": 90 * 86_400 + 1}, "invalid_ttl"),
            ({"ttl_seconds": "3600"}, "invalid_body"),
            ({"ttl_seconds": True}, "invalid_body"),
            ({"scope": WEBHOOKS}, "invalid_body"),
        ):
            refused = await it.ask("POST", path, body)
            assert (refused.status, refused.document["code"]) == (400, code), body
        assert await it.entries("app.service_token") == []


@pytest.mark.contract("S-028", "A-029", "C-047", "S-051")
async def test_existing_service_token_is_refused_on_every_host_and_process_after_governance_forbids_it(
    world_on_either: AuthWorld,
) -> None:
    other = world_on_either.another_process()
    async with platform(world_on_either) as it, auth_server(it.world, surface=other) as second:
        # Reading the catalogue is this token's use on the auth host.
        app = (await it.world.register("console", DEVICES, "argus:platform:read"))[0]
        named = {"client_id": app.client_id}
        await it.govern(named, allow_service_tokens=True)
        minted = await it.ask("POST", f"{APPS}/{app.client_id}/service-token")
        it.tokens["service"] = minted.document["token"]

        async def statuses() -> list[int]:
            bearer = {"Authorization": f"Bearer {it.tokens['service']}"}
            return [
                (await it.ask("GET", "/v1/platform/scopes", who="service")).status,
                (await it.server.probe(it.tokens["service"])).status,
                (await second.ask("GET", "/api/v1/probe", Host.API, headers=bearer)).status,
            ]

        assert await statuses() == [200, 200, 200]
        await it.govern(named, allow_service_tokens=False)
        it.world.pass_time(seconds=SEEN_S)
        assert await statuses() == [401, 401, 401]
        assert (await it.ask("POST", f"{APPS}/{app.client_id}/service-token")).status == 403
        access = await it.world.surface.mint.access_token(app)
        assert (await it.server.probe(access.token)).status == 200, "its other tokens go on"


@pytest.mark.contract("C-048", "C-049", "C-050", "C-051", "C-052", "A-031", "A-039", "A-065", "S-025")
async def test_previous_app_secret_is_valid_for_a_day_unless_the_rotation_revokes_it(
    world_on_either: AuthWorld,
) -> None:
    async with platform(world_on_either) as it:
        app = await it.register()
        path = f"{APPS}/{app['client_id']}/rotate-secret"
        rotated = await it.ask("POST", path)
        assert rotated.status == 200
        assert rotated.headers["Cache-Control"] == "no-store"
        assert set(rotated.document) == {
            "client_id",
            "client_secret",
            "previous_secret_expires_at",
            "callback_signing_secret",
        }
        assert rotated.document["previous_secret_expires_at"] == "2026-03-25T12:00:00.000000Z"
        first, second = app["client_secret"], rotated.document["client_secret"]

        async def statuses(*secrets: str) -> list[int]:
            return [(await it.granted(app, secret)).status for secret in secrets]

        assert await statuses(first, second) == [200, 200]
        it.world.pass_time(minutes=24 * HOUR_MINUTES)
        assert await statuses(first, second) == [401, 200]
        it.tokens["admin"] = await _fresh(it.world)
        ended = await it.ask("POST", path, {"revoke_previous": True})
        assert ended.document["previous_secret_expires_at"] is None
        third = ended.document["client_secret"]
        assert await statuses(first, second, third) == [401, 401, 200]
        assert (await it.granted(app, second)).error == (401, "invalid_client")
        callbacks = {
            app["callback_signing_secret"],
            *(one.document["callback_signing_secret"] for one in (rotated, ended)),
        }
        assert len(callbacks) == 3
        for body in ({"grace_hours": 169}, {"grace_hours": -1}, {"revoke_previous": "yes"}, {"secret": "chosen"}):
            assert (await it.ask("POST", path, body)).status == 400, body


async def _fresh(world: AuthWorld) -> str:
    """Return a new access token of the console app, which an operator has approved for administration."""
    console = await world.apps.find("app_console_north")
    assert console is not None
    return (await world.surface.mint.access_token(console)).token


@pytest.mark.contract("A-031", "S-025")
async def test_two_hundred_concurrent_rotations_of_an_app_secret_leave_two_valid_secrets(
    world_on_either: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One rotation waits for the other, so on a loaded machine the last ones would wait longer than the product allows.
    monkeypatch.setattr(postgresql_pool, "CONNECTION_WAIT_S_MAX", WITHIN_S)
    world = world_on_either
    where = (world.home.operator, world.app.client_id)
    rotations = await asyncio.gather(*(world.apps.rotate_secret(*where) for _ in range(200)))
    secrets = [one.secret for one in rotations]
    assert len(set(secrets)) == 200
    app, live = await world.apps.inspect(*where)
    assert len(live) == 2
    assert [one.expires_at_us is None for one in live] == [True, False]
    good = [one for one in (world.secret, *secrets) if await world.apps.authenticate(app.client_id, one)]
    assert len(good) == 2
    assert world.secret not in good


@pytest.mark.contract("A-031", "C-051")
async def test_app_secret_issued_by_a_process_with_a_slow_clock_stays_valid_after_the_next_rotation(
    world: AuthWorld,
) -> None:
    where = (world.home.operator, world.app.client_id)
    await world.apps.rotate_secret(*where)
    world.pass_time(seconds=-30)
    behind = (await world.apps.rotate_secret(*where)).secret
    world.pass_time(seconds=30)
    newest = (await world.apps.rotate_secret(*where)).secret
    for secret in (behind, newest):
        assert await world.apps.authenticate(world.app.client_id, secret) is not None


@pytest.mark.contract("S-027", "S-144")
async def test_secrets_and_tokens_appear_in_neither_the_database_nor_the_logs(
    world: AuthWorld, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with platform(world) as it:
        app = await it.register()
        path = f"{APPS}/{app['client_id']}"
        await it.govern(app, allow_service_tokens=True)
        await it.ask("POST", f"{path}/service-token")
        await it.ask("POST", f"{path}/rotate-secret")
        await it.granted(app)
        await it.granted(app, "a wrong secret of somebody")
        await it.ask("POST", f"{path}/service-token", {"scopes": [DEVICES]})
        secrets = {*it.secrets, *it.tokens.values(), "a wrong secret of somebody"}
    await world.database.close()
    with closing(sqlite3.connect(tmp_path / "cloud.db")) as database:
        dump = "\n".join(database.iterdump())
    octets = (tmp_path / "cloud.db").read_bytes()
    told = "".join(capsys.readouterr())
    assert "app.create" in dump
    for secret in secrets:
        inner = secret.removeprefix("whsec_").rpartition(".")[2]
        assert inner not in dump
        assert inner not in told
        assert inner.encode() not in octets
        assert inner.encode().hex() not in dump.lower()
