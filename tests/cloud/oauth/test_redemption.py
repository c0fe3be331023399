"""An authorization code is redeemed once, within a minute, by the app that requested it, for exactly the granted
scopes.
"""

import asyncio

import pytest

from cloud.access.apps import Governance
from tests.builders.auth_world import AuthWorld
from tests.builders.authorization_flow import CODE, REDIRECT, VERIFIER, flow


@pytest.mark.contract("S-010", "A-036")
async def test_second_redemption_of_an_authorization_code_revokes_the_token_of_the_first_redemption(
    world_on_either: AuthWorld,
) -> None:
    async with flow(world_on_either) as it:
        code = await it.code()
        token = (await it.redeem(code)).document["access_token"]
        assert (await it.server.probe(token)).status == 200
        assert (await it.redeem(code)).error == (400, "invalid_grant")
        it.world.pass_time(seconds=10)
        assert (await it.server.probe(token)).status == 401


@pytest.mark.contract("S-010", "A-036")
async def test_only_one_of_twenty_concurrent_redemptions_of_an_authorization_code_returns_a_token(
    world_on_either: AuthWorld,
) -> None:
    async with flow(world_on_either) as it:
        code = await it.code()
        answers = await asyncio.gather(*[it.redeem(code) for _ in range(20)])
        assert sorted(answer.status for answer in answers) == [200] + [400] * 19
        assert {answer.document["error"] for answer in answers if answer.status == 400} == {"invalid_grant"}


INCOMPLETE: tuple[tuple[dict[str, str | None], str], ...] = (
    ({"code_verifier": None}, "invalid_grant"),
    ({"code_verifier": "b" * 43}, "invalid_grant"),
    ({"code_verifier": "a" * 42}, "invalid_request"),
    ({"code_verifier": "a" * 129}, "invalid_request"),
    ({"redirect_uri": f"{REDIRECT}?x=1"}, "invalid_grant"),
    ({"redirect_uri": None}, "invalid_grant"),
)


@pytest.mark.contract("S-007", "S-009", "S-012", "A-036")
async def test_redemption_of_an_authorization_code_requires_its_code_verifier_and_redirect_uri(
    world: AuthWorld,
) -> None:
    async with flow(world) as it:
        code = await it.code()
        for changed, error in INCOMPLETE:
            assert (await it.redeem(code, **changed)).error == (400, error), changed
        assert (await it.redeem("no such code")).error == (400, "invalid_grant")
        assert (await it.redeem(None)).error == (400, "invalid_request")
        assert (await it.redeem(code)).status == 200, "a mistake does not spend the code"


@pytest.mark.contract("S-008", "A-033")
async def test_code_verifier_is_refused_for_an_authorization_code_without_a_code_challenge(world: AuthWorld) -> None:
    async with flow(world, pkce=False, governance=Governance(enforce_pkce=False)) as it:
        code = await it.code()
        assert (await it.redeem(code, code_verifier=VERIFIER)).error == (400, "invalid_grant")
        assert (await it.redeem(code)).status == 200


@pytest.mark.contract("S-011")
async def test_authorization_code_cannot_be_redeemed_by_another_app(world: AuthWorld) -> None:
    other, secret = await world.register("other", grant_types=CODE, redirect_uris=[REDIRECT])
    async with flow(world) as it:
        code = await it.code()
        stolen = await it.redeem(code, client_id=other.client_id, client_secret=secret)
        assert stolen.error == (400, "invalid_grant")
        assert (await it.redeem(code)).status == 200


@pytest.mark.contract("S-012", "A-036")
async def test_authorization_code_expires_after_one_minute(world: AuthWorld) -> None:
    async with flow(world) as it:
        first = await it.code()
        it.world.pass_time(seconds=59)
        second = await it.code()
        assert (await it.redeem(first)).status == 200
        it.world.pass_time(seconds=61)
        assert (await it.redeem(second)).error == (400, "invalid_grant")


@pytest.mark.contract("C-056", "A-033")
async def test_public_client_redeems_an_authorization_code_with_pkce_and_without_a_secret(world: AuthWorld) -> None:
    async with flow(world, confidential=False) as it:
        assert (await it.redeem(await it.code(), client_secret=None)).status == 200
        guess = await it.redeem(await it.code(), client_secret="guess")
        assert guess.error == (401, "invalid_client")


@pytest.mark.contract("S-051")
async def test_authorization_code_of_a_disabled_user_is_refused(world: AuthWorld) -> None:
    async with flow(world) as it:
        code = await it.code()
        await world.disable("ada@example.org")
        assert (await it.redeem(code)).error == (400, "invalid_grant")
        assert (await it.ask()).status == 303
