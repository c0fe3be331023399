"""An app is registered once for one tenant and authenticates with at most two secrets."""

import shutil
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from cloud.access.apps import CATALOGUE, NAMES, PLATFORM_ADMIN, AppPublic, AppUnknown, ScopeUnknown, Wanted
from cloud.access.apps import effective as effective_scopes
from cloud.access.apps.errors import GraceTooLong, GrantTypeUnknown
from cloud.access.apps.secrets import SECRET_LENGTH_MAX, digest_of, matches, new_secret
from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, TenantUnknown
from cloud.foundation.db import Database, open_database
from cloud.foundation.viewer import Actor
from tests.builders.auth_world import DEVICES, AuthWorld, auth_world
from tests.builders.cloud_people import household


@pytest.fixture
async def world(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[AuthWorld]:
    opened = await open_database(f"sqlite:///{shutil.copy(migrated_sqlite, tmp_path / 'cloud.db')}")
    yield await auth_world(opened)
    await opened.close()


async def proved(world: AuthWorld, *secrets: str) -> list[bool]:
    found = [await world.apps.authenticate(world.app.client_id, secret) for secret in secrets]
    return [app is not None and app.client_id == world.app.client_id for app in found]


@pytest.mark.contract("C-048", "C-049", "C-050", "C-051", "C-052", "A-031")
async def test_only_one_previous_app_secret_is_valid_during_the_grace_period_of_a_rotation(
    database: Database,
) -> None:
    world = await auth_world(database)
    first, where = world.secret, (world.home.operator, world.app.client_id)
    second = await world.apps.rotate_secret(*where)
    assert await proved(world, first, second.secret, "x") == [True, True, False]
    world.pass_time(minutes=60)
    third = await world.apps.rotate_secret(*where)
    assert await proved(world, first, second.secret, third.secret) == [False, True, True]
    assert third.previous_expires_at_us == world.clock.now_us() + 24 * 3_600_000_000
    world.pass_time(minutes=24 * 60)
    assert await proved(world, second.secret, third.secret) == [False, True]
    fourth = await world.apps.rotate_secret(*where, grace_hours=0)
    assert fourth.previous_expires_at_us is None
    assert await proved(world, third.secret, fourth.secret) == [False, True]


async def test_app_secret_rotation_does_not_extend_the_grace_period_of_an_older_secret(world: AuthWorld) -> None:
    where = (world.home.operator, world.app.client_id)
    await world.apps.rotate_secret(*where, grace_hours=1)
    world.pass_time(minutes=61)
    await world.apps.rotate_secret(*where)
    assert await proved(world, world.secret) == [False]
    with pytest.raises(GraceTooLong):
        await world.apps.rotate_secret(*where, grace_hours=169)


async def test_app_of_another_tenant_or_organisation_cannot_be_changed(world: AuthWorld) -> None:
    south = await household(world.database, world.clock, name="south")
    for stranger in (south.operator, replace(world.home.operator, organization_id="org_other")):
        for attempt in (
            world.apps.rotate_secret(stranger, world.app.client_id),
            world.apps.approve(stranger, world.app.client_id, [DEVICES]),
            world.apps.govern(stranger, world.app.client_id, {"enforce_pkce": True}),
            world.apps.remove(stranger, world.app.client_id),
        ):
            with pytest.raises(AppUnknown):
                await attempt
        assert await world.apps.list(stranger) == []
    assert await proved(world, world.secret) == [True]


@pytest.mark.contract("A-022")
async def test_invalid_app_registration_is_refused(world: AuthWorld) -> None:
    operator = world.home.operator
    for wanted, error in (
        (Wanted(name="x", scopes=[DEVICES], client_id="app_north"), IdentifierTaken),
        (Wanted(name="x", scopes=["argus:everything"]), ScopeUnknown),
        (Wanted(name="x", scopes=[PLATFORM_ADMIN]), ScopeUnknown),
        (Wanted(name="x", scopes=[DEVICES], grant_types=["password"]), GrantTypeUnknown),
        (Wanted(name="x", scopes=[DEVICES], grant_types=[]), GrantTypeUnknown),
        (Wanted(name="x", scopes=[DEVICES], organization_id="org_south"), OrganizationUnknown),
    ):
        with pytest.raises(error):
            await world.apps.register(operator, wanted)
    with pytest.raises(TenantUnknown):
        await world.apps.register(Actor.operator("tnt_none"), Wanted(name="x", scopes=[DEVICES]))
    public, secret = await world.register("page", confidential=False)
    assert secret is None
    with pytest.raises(AppPublic):
        await world.apps.rotate_secret(operator, public.client_id)
    made, _ = await world.register("generated", client_id=None)
    assert made.client_id.startswith("app_")


async def test_deleted_app_cannot_authenticate_and_its_client_id_is_not_reused(world: AuthWorld) -> None:
    await world.apps.remove(world.home.operator, world.app.client_id)
    assert await world.apps.authenticate(world.app.client_id, world.secret) is None
    assert await world.apps.list(world.home.operator) == []
    with pytest.raises(IdentifierTaken):
        await world.register("north")


@pytest.mark.contract("S-024")
def test_app_secret_is_stored_as_a_digest_and_authenticates_only_its_own_app() -> None:
    secret = new_secret()
    assert len(secret) == 43
    kept = digest_of("app_1", secret)
    assert secret.encode() not in kept
    assert matches("app_1", secret, [kept])
    assert matches("app_1", secret, [bytes(32), kept])
    assert not matches("app_2", secret, [kept])
    assert not matches("app_1", secret + "x", [kept])
    assert not matches("app_1", "", [])
    long = "x" * (SECRET_LENGTH_MAX + 1)
    assert not matches("app_1", long, [digest_of("app_1", long), digest_of("app_1", long[:-1])])


@pytest.mark.contract("C-021", "C-022", "A-017", "A-018")
def test_scope_catalogue_describes_every_scope_of_the_contract() -> None:
    seed = (
        "webhooks:write argus:epcr:write argus:devices:write argus:acqi:read argus:telephony:read "
        "argus:telephony:write argus:observability:read argus:jobs:read argus:jobs:write argus:platform:admin "
        "argus:profiles:read argus:profiles:write argus:provenance:read argus:discovery:read"
    )
    added = "webhooks:read argus:epcr:read argus:devices:read argus:platform:read"
    assert set(f"{seed} {added}".split()) == NAMES
    descriptions = {scope.name: scope.description for scope in CATALOGUE}
    assert descriptions["webhooks:write"] == "Create and update outbound webhook subscriptions"
    assert all(len(text) > 15 for text in descriptions.values())
    assert effective_scopes(["argus:jobs:write"]) == {"argus:jobs:write", "argus:jobs:read"}
    assert all(scope.reads is None or scope.reads in NAMES for scope in CATALOGUE)
