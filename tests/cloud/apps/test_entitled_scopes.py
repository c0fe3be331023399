"""A scope outside of the catalogue exists only for apps of tenants that the operator has entitled to it."""

import pytest

from cloud.access.apps import CATALOGUE, ENTITLED, NAMES, Apps, ScopeUnknown, Wanted
from cloud.access.apps.scopes import check_approved, in_order, read_scopes
from cloud.access.audit import Audit
from cloud.clinical.epcr import IDENTIFIED
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Actor
from tests.builders.cloud_people import HandClock, household

CLOCK = HandClock()
READ = "argus:epcr:read"
ABSENT = "argus:epcr:identifiee"
"""A name that is not declared and as similar to others as the entitled one."""


@pytest.fixture
async def apps(database: Database) -> Apps:
    await household(database, CLOCK)
    return Apps(database, CLOCK, UlidIds(CLOCK))


OPERATOR, ADMINISTRATOR = Actor.operator("tnt_north"), Actor("tnt_north", None, subject="usr_admin")


async def registered(apps: Apps, *scopes: str, id: str = "app_hospital") -> tuple[str, ...]:
    wanted = Wanted(name="Hospital", scopes=scopes, client_id=id)
    return (await apps.register(OPERATOR, wanted, by_operator=True)).app.approved_scopes


async def scopes_of(apps: Apps) -> tuple[str, ...]:
    return (await apps.inspect(OPERATOR, "app_hospital"))[0].approved_scopes


@pytest.mark.contract("A-097", "C-023")
def test_entitled_scope_is_outside_of_the_catalogue() -> None:
    assert IDENTIFIED in ENTITLED
    assert IDENTIFIED not in NAMES
    assert IDENTIFIED not in {scope.name for scope in CATALOGUE}


def complaint(work: object, name: str) -> tuple[object, ...]:
    assert callable(work)
    with pytest.raises(ScopeUnknown) as raised:
        work(name)
    text = str(raised.value.detail).replace(name, "NAME")
    return (text, *[(each.pointer, each.did_you_mean) for each in raised.value.mistakes])


@pytest.mark.contract("A-097")
def test_entitled_scope_that_an_app_lacks_is_refused_like_an_undeclared_name() -> None:
    for work in (
        read_scopes,
        lambda name: read_scopes(f"{name} also-unknown"),
        lambda name: check_approved([READ, name], {READ}, field="scopes"),
        lambda name: in_order([name], field="requested_scopes"),
    ):
        assert complaint(work, IDENTIFIED) == complaint(work, ABSENT)


async def test_app_of_an_entitled_tenant_gets_the_scope_from_the_operator_only(apps: Apps) -> None:
    await apps.entitle(OPERATOR, [IDENTIFIED])
    assert await registered(apps, READ, IDENTIFIED) == (READ, IDENTIFIED)
    with pytest.raises(ScopeUnknown):
        await apps.register(ADMINISTRATOR, Wanted(name="Other", scopes=(READ, IDENTIFIED)))
    with pytest.raises(ScopeUnknown):
        await apps.approve(ADMINISTRATOR, "app_hospital", [READ, IDENTIFIED])


async def test_approval_by_an_administrator_keeps_the_entitled_scopes(apps: Apps) -> None:
    await apps.entitle(OPERATOR, [IDENTIFIED])
    await registered(apps, READ, IDENTIFIED)
    await apps.approve(ADMINISTRATOR, "app_hospital", ["argus:devices:read"])
    assert await scopes_of(apps) == ("argus:devices:read", IDENTIFIED)
    await apps.approve(OPERATOR, "app_hospital", [READ], by_operator=True)
    assert await scopes_of(apps) == (READ,)


async def test_operator_cannot_approve_the_scope_for_a_tenant_that_is_not_entitled(apps: Apps) -> None:
    with pytest.raises(ScopeUnknown, match="not available to this tenant"):
        await registered(apps, READ, IDENTIFIED)
    await registered(apps, READ)
    with pytest.raises(ScopeUnknown, match="not available to this tenant"):
        await apps.approve(OPERATOR, "app_hospital", [READ, IDENTIFIED], by_operator=True)


async def test_end_of_an_entitlement_takes_the_scope_from_all_apps_and_is_audited(
    apps: Apps, database: Database
) -> None:
    await apps.entitle(OPERATOR, [IDENTIFIED])
    await registered(apps, READ, IDENTIFIED)
    await registered(apps, READ, id="app_other")
    entitled, changed = await apps.entitle(OPERATOR, [])
    assert (entitled, [app.client_id for app in changed]) == ((), ["app_hospital"])
    assert await scopes_of(apps) == (READ,)
    async with database.read() as tx:
        entries = await Audit(CLOCK).list(tx, OPERATOR, action="tenant.entitle")
    assert [entry.metadata for entry in entries] == [{"scopes": []}, {"scopes": [IDENTIFIED]}]


async def test_scope_of_the_catalogue_cannot_be_entitled(apps: Apps) -> None:
    for name in (READ, ABSENT):
        with pytest.raises(ScopeUnknown):
            await apps.entitle(OPERATOR, [name])
