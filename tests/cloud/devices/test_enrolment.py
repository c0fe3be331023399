"""A device that a vehicle reports and a person enrols is stored once, whichever of the two happens first."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from cloud.access.audit import Audit
from cloud.access.tenancy import OrganizationUnknown
from cloud.clinical.devices import (
    BulkEnrolment,
    DeviceClassUnknown,
    DeviceFields,
    Devices,
    DeviceStatus,
    DeviceVehicleUnknown,
    Enrolment,
    SystemIdTaken,
)
from cloud.foundation.db import Database
from cloud.foundation.events import DomainSearch, Outbox
from cloud.foundation.ids import UlidIds
from cloud.foundation.viewer import Viewer
from protocols.uplink.observations import DeviceRef
from tests.builders.cloud_people import MINUTE_US, NOON_US, HandClock, Household, attach_device, household
from tests.builders.statement_count import CountingDatabase

OXIMETER = DeviceRef(system_id="1122334455667788", model="Pulse 1")
CLOCK = HandClock()
IDS = UlidIds(CLOCK)
DEVICES = Devices(IDS)


def enrolment(database: Database) -> Enrolment:
    return Enrolment(database, CLOCK, IDS)


SERIAL = {"serial_number": "SN-1", "device_class": "oximeter", "manufacturer": "Synthetic Medical"}


async def test_unenrolled_device_seen_by_a_gateway_is_stored_and_not_listed_for_partners(database: Database) -> None:
    home = await household(database, CLOCK)
    async with database.transaction() as tx:
        device_id = await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
    assert await enrolment(database).list(home.viewer) == []
    (seen,) = await enrolment(database).list(home.operator, hidden=True)
    assert (seen.id, seen.status, seen.model) == (device_id, DeviceStatus.UNENROLLED, "Pulse 1")
    assert (seen.vehicle_id, seen.gateway_id, seen.last_seen_us) == (home.vehicle.id, home.gateway.id, NOON_US)


async def test_device_reported_ten_times_concurrently_is_stored_once(database: Database) -> None:
    home = await household(database, CLOCK)

    async def see() -> str:
        async with database.transaction() as tx:
            return await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)

    assert len(set(await asyncio.gather(*(see() for _ in range(10))))) == 1


async def test_device_report_older_than_the_last_seen_time_does_not_change_the_last_seen_time(
    database: Database,
) -> None:
    home = await household(database, CLOCK)
    async with database.transaction() as tx:
        for at_us in (NOON_US, NOON_US + MINUTE_US, NOON_US - MINUTE_US):
            await attach_device(tx, DEVICES, home.gateway, OXIMETER, at_us)
    (seen,) = await enrolment(database).list(home.operator, hidden=True)
    assert seen.last_seen_us == NOON_US + MINUTE_US


async def test_enrolment_by_system_id_keeps_the_id_of_the_unenrolled_device(database: Database) -> None:
    home = await household(database, CLOCK)
    async with database.transaction() as tx:
        device_id = await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
    outcome = await enrolment(database).enrol(
        home.viewer, organization_id=home.organization.id, **SERIAL, system_id=OXIMETER.system_id
    )
    assert (outcome.created, outcome.device.id) == (False, device_id)
    assert [device.status for device in await enrolment(database).list(home.viewer)] == [DeviceStatus.ACTIVE]


async def test_unenrolled_device_is_merged_into_the_device_enrolled_with_its_system_id(
    database: Database,
) -> None:
    home = await household(database, CLOCK)
    desk = enrolment(database)
    first = await desk.enrol(home.viewer, organization_id=home.organization.id, **SERIAL)
    async with database.transaction() as tx:
        twin = await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
    outcome = await desk.enrol(
        home.viewer, organization_id=home.organization.id, **SERIAL, system_id=OXIMETER.system_id
    )
    assert (outcome.device.id, outcome.absorbed) == (first.device.id, twin)
    async with database.transaction() as tx:
        assert await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US) == first.device.id
        assert await DEVICES.identities(tx, home.viewer, first.device.id) == [first.device.id, twin]
        assert await DEVICES.identities(tx, home.viewer, twin) == [first.device.id, twin]
    assert [device.id for device in await desk.list(home.viewer)] == [first.device.id]


async def test_twenty_concurrent_enrolments_of_one_serial_number_create_one_device(database: Database) -> None:
    home = await household(database, CLOCK)
    desk = enrolment(database)
    done = await asyncio.gather(
        *(desk.enrol(home.viewer, organization_id=home.organization.id, **SERIAL) for _ in range(20))
    )
    assert len({outcome.device.id for outcome in done}) == 1
    assert [outcome.created for outcome in done].count(True) == 1


async def test_system_id_of_an_enrolled_device_cannot_be_enrolled_for_another_device(database: Database) -> None:
    home = await household(database, CLOCK)
    desk = enrolment(database)
    await desk.enrol(home.viewer, organization_id=home.organization.id, **SERIAL, system_id="aa")
    other = {**SERIAL, "serial_number": "SN-2"}
    with pytest.raises(SystemIdTaken):
        await desk.enrol(home.viewer, organization_id=home.organization.id, **other, system_id="aa")


async def test_same_serial_number_in_two_tenants_identifies_two_devices(database: Database) -> None:
    north, south = await household(database, CLOCK), await household(database, CLOCK, name="south")
    desk = enrolment(database)
    one = await desk.enrol(north.viewer, organization_id=north.organization.id, **SERIAL)
    two = await desk.enrol(south.viewer, organization_id=south.organization.id, **SERIAL)
    assert one.device.id != two.device.id
    assert [device.id for device in await desk.list(south.viewer)] == [two.device.id]


async def test_organisations_vehicles_and_devices_of_another_tenant_are_not_found(database: Database) -> None:
    north, south = await household(database, CLOCK), await household(database, CLOCK, name="south")
    desk = enrolment(database)
    with pytest.raises(OrganizationUnknown):
        await desk.enrol(north.viewer, organization_id=south.organization.id, **SERIAL)
    with pytest.raises(DeviceVehicleUnknown):
        await desk.enrol(north.viewer, organization_id=north.organization.id, **SERIAL, vehicle_id=south.vehicle.id)
    enrolled = await desk.enrol(south.viewer, organization_id=south.organization.id, **SERIAL)
    async with database.read() as tx:
        assert await DEVICES.find(tx, north.viewer, enrolled.device.id, hidden=True) is None
        assert await DEVICES.find(tx, Viewer(south.tenant.id, "org_other"), enrolled.device.id) is None
        assert await DEVICES.identities(tx, north.operator, enrolled.device.id) == ()


async def test_enrolment_with_a_device_class_that_the_contract_does_not_define_is_refused(database: Database) -> None:
    home = await household(database, CLOCK)
    with pytest.raises(DeviceClassUnknown, match="defib"):
        await enrolment(database).enrol(
            home.viewer, organization_id=home.organization.id, **{**SERIAL, "device_class": "toaster"}
        )


def named(home: Household, number: int, **fields: Any) -> DeviceFields:
    return {**SERIAL, "serial_number": f"SN-{number}", "organization_id": home.viewer.organization_id, **fields}


async def test_new_devices_are_enrolled_at_once_and_all_others_are_left_to_single_enrolments(
    database: Database,
) -> None:
    home = await household(database, CLOCK)
    await enrolment(database).enrol(home.operator, **named(home, 1))
    async with database.transaction() as tx:
        await attach_device(tx, DEVICES, home.gateway, OXIMETER, NOON_US)
    counting = CountingDatabase(database)
    listed = [
        named(home, 1),
        named(home, 2, vehicle_id=home.vehicle.id, system_id="AABBCCDDEEFF0011"),
        named(home, 3),
        named(home, 3),
        named(home, 4, system_id=OXIMETER.system_id),
        named(home, 5, system_id="00"),
        named(home, 6, system_id="00"),
        named(home, 7, device_class="toaster"),
        named(home, 8, vehicle_id="veh_elsewhere"),
        named(home, 9, manufacturer=" "),
        *(named(home, number) for number in range(10, 60)),
    ]
    async with counting.transaction() as tx:
        added = await BulkEnrolment(CLOCK, IDS).enrol_new_in(tx, home.operator, home.viewer.organization_id, listed)
    assert sorted(added) == [1, 2, 5, *range(10, 60)], "the first of two with the same number is new"
    assert counting.statements == 6
    assert len(await enrolment(database).list(home.operator)) == 54


async def test_device_enrolled_at_once_has_the_row_the_event_and_the_audit_entry_of_a_single_enrolment(
    database: Database,
) -> None:
    home = await household(database, CLOCK)
    found = []
    for number, at_once in ((1, True), (2, False)):
        fields = named(home, number, vehicle_id=home.vehicle.id, system_id=f"{number:016x}")
        async with database.transaction() as tx:
            if at_once:
                await BulkEnrolment(CLOCK, IDS).enrol_new_in(tx, home.operator, fields["organization_id"], [fields])
            else:
                await enrolment(database).enrol_in(tx, home.operator, **fields)
            (event,) = await Outbox(IDS).list(tx, home.operator, DomainSearch(types=("device.enrolled",), limit=1))
            (entry,) = await Audit(CLOCK).list(tx, home.operator, action="device.enrol", limit=1)
        (device,) = [
            one for one in await enrolment(database).list(home.operator) if one.serial_number == f"SN-{number}"
        ]
        assert (event.key, entry.object, event.payload["device_id"]) == (device.id,) * 3
        found.append(
            (
                replace(device, id="", serial_number="", system_id=""),
                {**event.payload, "device_id": ""},
                (entry.action, entry.metadata, entry.actor, entry.organization_id),
            )
        )
    assert found[0] == found[1]
