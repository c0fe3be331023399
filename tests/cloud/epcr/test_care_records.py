"""Field changes of a vehicle become the care record of their encounter, for its organisation only."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from cloud.access.audit.tables import audit_entries
from cloud.access.tenancy import Tenancy
from cloud.clinical.devices import Devices
from cloud.clinical.epcr import Epcr
from cloud.clinical.epcr.errors import CareRecordTooLarge, EncounterUnknown
from cloud.clinical.epcr.records import CareRecords, RecordWithHistory
from cloud.clinical.epcr.tables import care_changes
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor
from cloud.vehicles.custody.tables import batches, quarantined_batches
from cloud.vehicles.ingest.opening import UnreadablePayload
from cloud.vehicles.ingest.settings import IngestSection
from cloud.vehicles.verification.reprocess import Reprocessed, Reprocessing
from protocols.epcr.change import Action
from protocols.uplink.envelope import BatchKind
from protocols.uplink.epcr import encode_changes
from protocols.uplink.lanes import Lane
from tests.builders.care_changes import ENCOUNTER, JAN, change
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

HOUR_US = 3_600_000_000


async def with_encounter(cloud: CloudUnderTest) -> CloudUnderTest:
    epcr = Epcr(cloud.database, cloud.clock, cloud.ids)
    await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=ENCOUNTER)
    return cloud


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await with_encounter(await CloudUnderTest(database).register(gateway))


async def read(cloud: CloudUnderTest, actor: Actor = OPERATOR) -> RecordWithHistory:
    return await CareRecords(cloud.database, cloud.clock).read(actor, ENCOUNTER)


async def shown(cloud: CloudUnderTest) -> dict[str, list[str | None]]:
    record = (await read(cloud)).record
    return {field.name.key: [each.value for each in field.shown] for field in record.fields}


async def test_changes_of_a_vehicle_are_the_record_of_their_encounter(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    sent = [
        change("medications.drug", "703", entry="m1", device_time_us=NOW_US - 5, replaces=("c-0",)),
        change("vitals.systolic", None, negative="refused", author=JAN),
        change("patient.last_name", None, not_recorded="not_applicable"),
        change("medications", "not given", entry="m1", action=Action.VOID),
    ]
    (ack,) = await cloud.take(gateway.send_changes(*sent[:2]), gateway.send_changes(*sent[2:]))
    assert (ack.lane, ack.through_sequence) == (Lane.EPCR, 2)
    assert [row.content for row in await cloud.rows(batches)] == ["rows", "rows"]
    found = await read(cloud)
    assert found.history == sent
    assert [field.name.key for field in found.record.fields] == [
        "patient.last_name",
        "vitals.systolic",
        "medications.drug",
    ]


async def test_batch_that_is_delivered_again_adds_no_change(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    envelope = gateway.send_changes(change())
    await cloud.take(envelope)
    await cloud.take(envelope, envelope)
    assert len(await cloud.rows(care_changes)) == 1


async def test_batches_that_arrive_late_and_out_of_order_give_the_record_of_their_sequence(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    first, second, third = (gateway.send_changes(change("patient.age", age)) for age in ("50", "51", "52"))
    await cloud.take(third)
    assert await shown(cloud) == {"patient.age": ["52"]}
    await cloud.take(second)
    await cloud.take(first)
    assert await shown(cloud) == {"patient.age": ["52"]}
    assert [each.value for each in (await read(cloud)).history] == ["50", "51", "52"]


async def test_change_with_a_repeated_id_is_logged_and_ignored(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    replaced_store = GatewayInVehicle(epoch="epoch-b")
    await cloud.take(gateway.send_changes(change("patient.age", "50", id="c1")))
    await cloud.take(replaced_store.send_changes(change("patient.age", "50", id="c1")))
    found = await read(cloud)
    assert (len(found.history), found.record.repeated) == (2, 1)


async def test_contradictory_statements_of_two_vehicles_both_stand(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    second = GatewayInVehicle(gateway="gw_second", key_seed=2)
    await cloud.register_gateway(second)
    await cloud.take(
        second.send_changes(change("patient.age", "51", author=JAN, gateway_time_us=NOW_US + 1)),
        gateway.send_changes(change("patient.age", "50")),
    )
    (field,) = (await read(cloud)).record.fields
    assert [each.value for each in (*field.shown, *field.contradicting)] == ["51", "50"]


async def test_elements_and_reasons_of_a_newer_gateway_are_kept(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    newer = change("robot.mood", "calm", negative="unimpressed", entry="r1")
    await cloud.take(gateway.send_changes(newer))
    found = await read(cloud)
    assert found.history == [newer]
    assert [field.name.key for field in found.record.fields] == ["robot.mood"]


async def test_changes_before_their_encounter_belong_to_it_when_it_is_created(
    database: Database, gateway: GatewayInVehicle
):
    cloud = await CloudUnderTest(database).register(gateway)
    await cloud.take(gateway.send_changes(change("patient.age", "50")))
    with pytest.raises(EncounterUnknown):
        await read(cloud)
    assert await shown(await with_encounter(cloud)) == {"patient.age": ["50"]}


async def test_record_is_not_found_in_another_tenant_or_organisation(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send_changes(change()))
    for actor in (Actor.operator("ten_other"), replace(OPERATOR, organization_id="org_other")):
        with pytest.raises(EncounterUnknown):
            await read(cloud, actor)


async def test_gateway_of_another_organisation_cannot_write_into_the_record(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    tenancy = Tenancy(cloud.database, cloud.clock, cloud.ids)
    await tenancy.add_organization(OPERATOR, "Synthetic Neighbour", id="org_neighbour")
    await cloud.take(gateway.send_changes(change("patient.age", "50")))
    async with cloud.database.transaction() as tx:
        await tx.execute(update(care_changes).values(organization_id="org_neighbour"))
    assert await shown(cloud) == {}


async def test_each_reading_of_a_record_is_in_the_audit_trail_without_its_content(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send_changes(change("patient.last_name", "Canary")))
    await read(cloud)
    entries = [row for row in await cloud.rows(audit_entries) if row.action == "epcr.record_read"]
    assert [row.object for row in entries] == [ENCOUNTER]
    assert "Canary" not in str(entries)


async def test_record_with_too_many_changes_is_refused(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cloud.clinical.epcr.care_log.CHANGES_READ_MAX", 1)
    await cloud.take(gateway.send_changes(change()))
    await read(cloud)
    await cloud.take(gateway.send_changes(change()))
    with pytest.raises(CareRecordTooLarge):
        await read(cloud)


async def test_parked_changes_are_stored_when_the_quota_allows_them(database: Database, gateway: GatewayInVehicle):
    quotas = IngestSection.model_construct(rows_burst=2, rows_per_hour=2)
    cloud = await with_encounter(await CloudUnderTest(database, quotas=quotas).register(gateway))
    await cloud.take(gateway.send_changes(change("patient.age", "50"), change("patient.age", "51")))
    await cloud.take(gateway.send_changes(change("patient.age", "52")))
    assert await shown(cloud) == {"patient.age": ["51"]}
    cloud.clock.at_us += 2 * HOUR_US
    assert await cloud.take_up() == 1
    assert await shown(cloud) == {"patient.age": ["52"]}


@pytest.mark.parametrize("content", ["unreadable", "kept"])
async def test_changes_that_an_earlier_cloud_did_not_unpack_are_reprocessed(
    cloud: CloudUnderTest, gateway: GatewayInVehicle, content: str
):
    for group in await cloud.ingest.opener.open(
        [cloud.handover.delivery(gateway.send_changes(change("patient.age", "50")))]
    ):
        group.opened = [replace(one, content=UnreadablePayload("a form of tomorrow")) for one in group.opened]
        await cloud.ingest.write(group, cloud.handover)
    async with cloud.database.transaction() as tx:
        await tx.execute(update(batches).values(content=content))
    done = await Reprocessing(cloud.database, Devices(cloud.ids)).run(TENANT)
    assert done == Reprocessed(unpacked=1)
    assert await shown(cloud) == {"patient.age": ["50"]}
    assert await cloud.rows(quarantined_batches) == []


async def test_changes_of_a_newer_version_are_set_aside_and_acknowledged(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    payload = b"\x02" + encode_changes([change()])[1:]
    (ack,) = await cloud.take(gateway.send_raw(BatchKind.EPCR, payload, lane=Lane.EPCR))
    assert ack.through_sequence == 1
    assert [row.content for row in await cloud.rows(batches)] == ["unreadable"]
    assert (await read(cloud)).history == []
