"""A token becomes invalid before its expiry when it is revoked, or its app, user, scope or key is disabled.

Every process refuses an invalid token within a short time.
"""

from dataclasses import replace

import pytest

from cloud.access.audit import Audit
from cloud.access.identity import Passwords, Role, Users
from cloud.access.oauth import TokenSurface
from cloud.access.standing import ChangeKind, ChangeLog
from cloud.access.tokens import Revocation, Verifier
from cloud.access.tokens import auth_state as auth_state_module
from cloud.access.tokens.auth_state import POLL_S, STALE_S_MAX
from cloud.access.tokens.errors import RevocationUnknown
from cloud.foundation.db import DatabaseUnavailable, Transaction
from cloud.foundation.http.errors import InvalidToken
from cloud.foundation.http.host import Host
from cloud.foundation.http.request import Caller
from cloud.foundation.viewer import Actor
from tests.builders.auth_world import BASES, DEVICES, NOON_S, AuthWorld, names

SEEN_WITHIN_S = 60
EPCR = "argus:epcr:write"


async def verified(surface: TokenSurface, token: str) -> Caller:
    return await surface.verifier.verify(token, Host.API)


async def both(world: AuthWorld, token: str) -> tuple[TokenSurface, TokenSurface]:
    """Return two processes that have verified this token and cached the result."""
    processes = (world.surface, world.another_process())
    for process in processes:
        await verified(process, token)
        await verified(process, token)
    return processes


async def refused_everywhere(world: AuthWorld, processes: tuple[TokenSurface, ...], token: str) -> None:
    world.pass_time(seconds=POLL_S)
    assert POLL_S < SEEN_WITHIN_S
    for process in processes:
        with pytest.raises(InvalidToken):
            await verified(process, token)


@pytest.mark.contract("S-051")
async def test_revoked_token_is_refused_by_every_process_that_had_accepted_it(
    world_on_either: AuthWorld,
) -> None:
    world = world_on_either
    token, other = await world.token(), await world.token()
    processes = await both(world, token)
    jti = (await verified(world.surface, token)).jti
    assert await Revocation(world.database, world.clock).revoke(world.home.operator, jti, world.app.client_id)
    await refused_everywhere(world, processes, token)
    with pytest.raises(InvalidToken):
        await verified(world.another_process(), token)  # and in a process that starts later
    assert (await verified(world.surface, other)).client_id == world.app.client_id
    assert not await Revocation(world.database, world.clock).revoke(world.home.operator, jti, world.app.client_id)


@pytest.mark.contract("S-051")
async def test_tokens_of_a_deleted_app_are_refused(world: AuthWorld) -> None:
    token = await world.token()
    processes = await both(world, token)
    await world.apps.remove(world.home.operator, world.app.client_id)
    await refused_everywhere(world, processes, token)


@pytest.mark.contract("S-051")
async def test_scope_removed_from_an_app_is_ineffective_in_its_existing_tokens(world_on_either: AuthWorld) -> None:
    world = world_on_either
    token = await world.token()
    processes = await both(world, token)
    assert (await verified(world.surface, token)).scopes >= {DEVICES, EPCR, "argus:epcr:read"}
    await world.apps.approve(world.home.operator, world.app.client_id, [DEVICES])
    world.pass_time(seconds=POLL_S)
    for process in processes:
        assert (await verified(process, token)).scopes == {DEVICES, "argus:devices:read"}
    await world.apps.approve(world.home.operator, world.app.client_id, [DEVICES, EPCR])
    world.pass_time(seconds=POLL_S)
    assert EPCR in (await verified(world.surface, token)).scopes


@pytest.mark.contract("S-051")
async def test_token_of_a_disabled_user_is_refused_until_the_user_is_enabled(world: AuthWorld) -> None:
    person = await world.person()
    token = (await world.surface.mint.service_token(world.home.operator, world.app, [DEVICES], user=person)).token
    processes = await both(world, token)
    users = Users(world.database, world.clock, world.ids, passwords := Passwords())
    await users.set_disabled(world.home.operator, person.username, True)
    await refused_everywhere(world, processes, token)
    await users.set_disabled(world.home.operator, person.username, False)
    world.pass_time(seconds=POLL_S)
    assert (await verified(world.surface, token)).subject == person.id
    passwords.close()


async def test_service_token_for_a_user_contains_only_scopes_of_the_role_of_that_user(world: AuthWorld) -> None:
    person = await world.person("eve@example.org", Role.MEMBER)
    minted = await world.surface.mint.service_token(world.home.operator, world.app, user=person)
    assert set(minted.claims.scopes) == {DEVICES, EPCR}  # not webhooks:write, which the app has


async def test_service_token_is_not_returned_when_its_audit_entry_cannot_be_stored(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    actions: list[str] = []

    async def fail(self: Audit, tx: Transaction, actor: Actor, action: str, *rest: object, **more: object) -> None:
        actions.append(action)
        raise DatabaseUnavailable

    monkeypatch.setattr(Audit, "record", fail)
    with pytest.raises(DatabaseUnavailable):
        await world.surface.mint.service_token(world.home.operator, world.app)
    assert actions == ["app.service_token"]


@pytest.mark.contract("S-051")
async def test_service_tokens_are_refused_after_governance_forbids_them(world: AuthWorld) -> None:
    service = (await world.surface.mint.service_token(world.home.operator, world.app)).token
    access = await world.token()
    processes = await both(world, service)
    await world.apps.govern(world.home.operator, world.app.client_id, {"allow_service_tokens": None})
    await refused_everywhere(world, processes, service)
    assert (await verified(world.surface, access)).token_use == "access"


@pytest.mark.contract("S-050")
async def test_retired_key_verifies_only_tokens_issued_before_its_retirement(world_on_either: AuthWorld) -> None:
    world = world_on_either
    token = await world.token()
    world.pass_time(minutes=16)
    await world.keys.rotate()
    world.pass_time(minutes=10)
    late = world.signed(world.claims())  # with the retired key, as after a theft
    backdated = world.signed(world.claims(iat=NOON_S, nbf=NOON_S, exp=NOON_S + 3600))
    for process in (world.surface, world.another_process()):
        assert (await verified(process, token)).client_id == world.app.client_id
        assert (await verified(process, backdated)).client_id == world.app.client_id
        with pytest.raises(InvalidToken):
            await verified(process, late)


async def test_tokens_signed_by_a_withdrawn_key_are_refused(world: AuthWorld) -> None:
    token = await world.token()
    processes = await both(world, token)
    kid = (await world.keys.list())[0].kid
    await world.keys.withdraw(kid)
    await refused_everywhere(world, processes, token)
    assert (await verified(processes[1], await world.token())).client_id == world.app.client_id


async def test_token_verification_runs_no_database_query_between_two_polls(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await world.token()
    await verified(world.surface, token)

    def forbidden() -> None:
        raise AssertionError("the database was asked")

    monkeypatch.setattr(world.database, "read", forbidden)
    fresh = world.signed(world.claims())
    assert (await verified(world.surface, token)).jti != (await verified(world.surface, fresh)).jti


async def test_tokens_are_accepted_for_the_first_minute_of_a_database_outage(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = await world.token()
    await verified(world.surface, token)

    def down() -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr(world.database, "read", down)
    world.pass_time(seconds=STALE_S_MAX)
    assert (await verified(world.surface, token)).client_id == world.app.client_id
    world.pass_time(seconds=POLL_S)
    with pytest.raises(RevocationUnknown):
        await verified(world.surface, token)


async def test_process_reloads_all_revocations_when_unread_change_log_entries_were_deleted(
    world_on_either: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = world_on_either
    token = await world.token()
    await verified(world.surface, token)
    monkeypatch.setattr("cloud.access.standing.changes.KEPT", 3)
    jti = (await verified(world.surface, token)).jti
    await Revocation(world.database, world.clock).revoke(world.home.operator, jti, world.app.client_id)
    async with world.database.transaction() as tx:
        for number in range(5):
            await ChangeLog().record(tx, ChangeKind.TOKEN, f"tok_{number}", 1)
    async with world.database.read() as tx:
        assert await ChangeLog().since(tx, 1) is None
    await refused_everywhere(world, (world.surface,), token)


async def test_token_revocations_over_the_memory_limit_are_looked_up_in_the_database(
    world: AuthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auth_state_module, "REVOKED_MAX", 3)
    revocation = Revocation(world.database, world.clock)
    tokens = [await world.token() for _ in range(6)]
    for token in tokens[:5]:
        await revocation.revoke(world.home.operator, (await verified(world.surface, token)).jti, world.app.client_id)
    await refused_everywhere(world, (world.surface, world.another_process()), tokens[4])
    for process in (world.surface, world.another_process()):
        assert (await verified(process, tokens[5])).client_id == world.app.client_id


async def test_expired_token_revocations_are_deleted(world: AuthWorld) -> None:
    revocation = Revocation(world.database, world.clock)
    soon_us = world.clock.now_us() + 60_000_000
    assert await revocation.revoke(world.home.operator, "tok_1", "app_north", soon_us)
    world.pass_time(minutes=3)
    assert await revocation.revoke(world.home.operator, "tok_2", "app_north", soon_us)
    assert await revocation.revoke(world.home.operator, "tok_1", "app_north", soon_us)  # the row was swept


async def test_token_evicted_from_the_cache_of_verified_tokens_is_verified_again(world: AuthWorld) -> None:
    verifier = Verifier(world.surface.auth_state, world.clock, BASES, verdicts_max=2)
    tokens = [world.signed(world.claims(jti=f"tok_{number}")) for number in range(4)]
    for token in (*tokens, *tokens):
        assert (await verifier.verify(token, Host.API)).client_id == world.app.client_id


async def test_token_whose_tenant_differs_from_the_tenant_of_its_app_is_refused(world: AuthWorld) -> None:
    claims = (await world.surface.mint.access_token(world.app)).claims
    claims = replace(claims, holder=replace(claims.holder, tenant_id="tnt_south"))
    with pytest.raises(InvalidToken):
        await verified(world.surface, world.signed(claims.document(names())))
