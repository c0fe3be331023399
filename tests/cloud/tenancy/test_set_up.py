"""An operator creates tenants, organisations and vehicles; objects of one tenant are not found by another tenant."""

import pytest
from sqlalchemy import insert as plain_insert

from cloud.access.tenancy import IdentifierTaken, OrganizationUnknown, Tenancy, TenantUnknown
from cloud.access.tenancy.errors import NameMalformed
from cloud.access.tenancy.tables import vehicles
from cloud.foundation.db import ConstraintViolated, Database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import IdentifierMalformed, UlidIds
from cloud.foundation.viewer import Actor, SecrecyLevel, Viewer
from tests.builders.cloud_people import HandClock, household

CLOCK = HandClock()


def tenancy(database: Database) -> Tenancy:
    return Tenancy(database, CLOCK, UlidIds(CLOCK))


async def test_new_ids_have_the_prefixes_of_the_contract_and_sort_by_creation_time(database: Database) -> None:
    desk = tenancy(database)
    made = [await desk.add_tenant(f"Tenant {number}") for number in range(3)]
    assert all(tenant.id.startswith("tnt_") and len(tenant.id) == 30 for tenant in made)
    assert await desk.list_tenants() == made
    organization = await desk.add_organization(Actor.operator(made[0].id), "Station")
    vehicle = await desk.add_vehicle(Actor.operator(made[0].id), organization.id, "RTW 1")
    assert (organization.id[:4], vehicle.id[:4]) == ("org_", "veh_")


async def test_tenant_with_the_id_of_an_existing_tenant_is_refused(
    database: Database,
) -> None:
    desk = tenancy(database)
    first = await desk.add_tenant("First", id="tnt_1")
    with pytest.raises(IdentifierTaken, match="tnt_1"):
        await desk.add_tenant("Second", id="tnt_1")
    assert await desk.list_tenants() == [first]


async def test_two_tenants_may_use_the_same_organisation_id(database: Database) -> None:
    desk = tenancy(database)
    for tenant in ("tnt_1", "tnt_2"):
        await desk.add_tenant("x", id=tenant)
        await desk.add_organization(Actor.operator(tenant), f"of {tenant}", id="org_1")
    (organization,) = await desk.list_organizations(Actor.operator("tnt_2"))
    assert organization.name == "of tnt_2"


async def test_organisations_and_vehicles_of_another_tenant_or_organisation_are_not_found(database: Database) -> None:
    north, south = await household(database, CLOCK), await household(database, CLOCK, name="south")
    desk = tenancy(database)
    with pytest.raises(OrganizationUnknown):
        await desk.add_vehicle(north.operator, south.organization.id, "RTW 1")
    with pytest.raises(TenantUnknown):
        await desk.list_vehicles(Actor.operator("tnt_none"))
    other = await desk.add_organization(north.operator, "Second station", id="org_second")
    within = Viewer(north.tenant.id, other.id)
    assert await desk.list_vehicles(within) == []
    assert await desk.list_organizations(within) == [other]
    with pytest.raises(OrganizationUnknown):
        await desk.add_vehicle(within, north.organization.id, "RTW 1")


async def test_vehicle_row_that_references_an_organisation_of_another_tenant_violates_a_constraint(
    database: Database,
) -> None:
    north, south = await household(database, CLOCK), await household(database, CLOCK, name="south")

    async def write() -> None:
        async with database.transaction() as tx:
            await tx.execute(
                plain_insert(vehicles).values(
                    tenant_id=north.tenant.id,
                    id="veh_x",
                    organization_id=south.organization.id,
                    name="x",
                    created_at_us=1,
                )
            )

    with pytest.raises(ConstraintViolated):
        await write()


@pytest.mark.parametrize(
    ("name", "id", "error"),
    [
        ("", None, NameMalformed),
        ("   ", None, NameMalformed),
        ("x" * 201, None, NameMalformed),
        ("a\nb", None, NameMalformed),
        ("ok", "", IdentifierMalformed),
        ("ok", "a/b", IdentifierMalformed),
        ("ok", "x" * 65, IdentifierMalformed),
        ("ok", "tnt_1\n", IdentifierMalformed),
    ],
)
async def test_malformed_tenant_names_and_ids_are_refused(
    database: Database, name: str, id: str | None, error: type[DomainError]
) -> None:
    with pytest.raises(error):
        await tenancy(database).add_tenant(name, id=id)


def test_secrecy_levels_have_the_order_and_names_of_the_contract() -> None:
    assert [level.word for level in sorted(SecrecyLevel)] == [
        "standard",
        "restricted",
        "confidential",
        "secret",
        "top_secret",
    ]
