"""A gateway is registered with a public key and a vehicle, found by the ids in its topic, and shown with its last
status.
"""

import base64

import pytest

from cloud.access.tenancy import OrganizationUnknown, VehicleUnknown
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.vehicles.fleet import Fleet, GatewayDirectory, GatewayStatus, GatewayTaken, PublicKeyMalformed
from cloud.vehicles.fleet.errors import GatewayIdReserved
from tests.builders.cloud_people import MINUTE_US, NOON_US, HandClock, household, public_key_text

CLOCK = HandClock()
DIRECTORY = GatewayDirectory()


def fleet(database: Database) -> Fleet:
    return Fleet(database, CLOCK, UlidIds(CLOCK))


async def test_registered_gateway_is_found_by_the_tenant_and_gateway_id_of_its_topic(database: Database) -> None:
    home = await household(database, CLOCK)
    async with database.read() as tx:
        assert await DIRECTORY.find(tx, "tnt_north", "gw_north") == home.gateway
        assert await DIRECTORY.find(tx, "tnt_other", "gw_north") is None
        assert await DIRECTORY.find(tx, "tnt_north", "gw_other") is None
    assert home.gateway.public_key == b"\x07" * 32


async def test_registered_gateway_id_cannot_be_registered_again(database: Database) -> None:
    home = await household(database, CLOCK)
    with pytest.raises(GatewayTaken, match="gw_north"):
        await fleet(database).register(
            home.operator,
            organization_id=home.organization.id,
            vehicle_id=home.vehicle.id,
            public_key=public_key_text(9),
            id="gw_north",
        )
    (kept,) = await fleet(database).list(home.operator)
    assert kept.public_key == home.gateway.public_key


@pytest.mark.finding("security-3")
@pytest.mark.parametrize("id", ["argus-cloud", "argus-cloud-0123", "-gw", "-"])
async def test_gateway_id_reserved_for_the_cloud_or_beginning_with_a_hyphen_is_refused(
    database: Database, id: str
) -> None:
    home = await household(database, CLOCK)
    with pytest.raises(GatewayIdReserved):
        await fleet(database).register(
            home.operator,
            organization_id=home.organization.id,
            vehicle_id=home.vehicle.id,
            public_key=public_key_text(9),
            id=id,
        )


@pytest.mark.parametrize("key", ["", "AAAA", "not base64!", base64.b64encode(bytes(31)).decode(), "A" * 44])
async def test_gateway_with_a_malformed_public_key_is_refused(database: Database, key: str) -> None:
    home = await household(database, CLOCK)
    with pytest.raises(PublicKeyMalformed):
        await fleet(database).register(
            home.operator, organization_id=home.organization.id, vehicle_id=home.vehicle.id, public_key=key
        )


async def test_gateway_is_registered_only_for_a_vehicle_of_its_own_organisation(database: Database) -> None:
    north, south = await household(database, CLOCK), await household(database, CLOCK, name="south")
    for organization, vehicle, error in (
        (south.organization, north.vehicle, OrganizationUnknown),
        (north.organization, south.vehicle, VehicleUnknown),
    ):
        with pytest.raises(error):
            await fleet(database).register(
                north.operator, organization_id=organization.id, vehicle_id=vehicle.id, public_key=public_key_text()
            )


async def test_older_gateway_status_that_arrives_later_does_not_replace_the_newer_status(database: Database) -> None:
    home = await household(database, CLOCK)

    async def hear(minute: int, *, online: bool) -> None:
        status = GatewayStatus(online=online, at_us=NOON_US + minute * MINUTE_US, epoch="e1", software="0.1.0")
        async with database.transaction() as tx:
            await DIRECTORY.record_statuses(tx, {(home.tenant.id, home.gateway.id): status})

    assert home.gateway.status is None
    await hear(2, online=True)
    await hear(1, online=False)
    (known,) = await fleet(database).list(home.viewer)
    assert known.status == GatewayStatus(online=True, at_us=NOON_US + 2 * MINUTE_US, epoch="e1", software="0.1.0")
