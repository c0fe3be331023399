"""An export has every value, time and sample that the gateway sent, in order, for viewers who may see them."""

from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import update

from cloud.access.tenancy import Tenancy
from cloud.clinical.assignments import AssignmentService
from cloud.clinical.devices import Devices, Enrolment
from cloud.clinical.epcr import Epcr
from cloud.clinical.observations.export import export_observations
from cloud.clinical.observations.reading import PAGE_ROWS
from cloud.foundation.db import Database
from cloud.foundation.viewer import Actor, Viewer
from cloud.vehicles.fleet.tables import gateways
from protocols.observation_record import records_of, to_json
from protocols.uplink.envelope import Envelope
from protocols.uplink.observations import decode_block
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, CloudUnderTest
from tests.builders.ingest_gateway import NOW_US, OXIMETER, SPO2, GatewayInVehicle, readings, section
from tests.builders.ingest_kinds import BEDSIDE_TIME, CUFF, PRESSURE, every_kind, one
from tests.builders.received_batches import RECEIVED


@pytest.fixture
async def cloud(database: Database, gateway: GatewayInVehicle) -> CloudUnderTest:
    return await CloudUnderTest(database).register(gateway)


async def exported(cloud: CloudUnderTest, viewer: Viewer = OPERATOR, **options: Any) -> list[dict[str, Any]]:
    options.setdefault("hidden", True)
    found = export_observations(cloud.database, viewer, Devices(cloud.ids), RECEIVED, **options)
    return [document async for document in found]


def sent(*envelopes: Envelope) -> list[dict[str, Any]]:
    """Return the observations in these envelopes in the form of the gateway's export."""
    return [
        to_json(record)
        for batch in (envelope.batch for envelope in envelopes)
        for record in records_of(
            decode_block(batch.payload),
            gateway=batch.gateway,
            epoch=batch.epoch,
            lane=batch.lane,
            sequence=batch.sequence,
        )
    ]


def place(document: dict[str, Any]) -> tuple[int, int]:
    return document["sequence"], document["index"]


async def test_every_kind_of_observation_is_exported_exactly_as_the_gateway_sent_it(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    envelope = gateway.send_sections(every_kind())
    await cloud.take(envelope)
    assert sorted(await exported(cloud), key=place) == sent(envelope)


async def test_export_is_ordered_first_by_device_then_by_observed_time_then_by_sequence_and_index(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    later = section(readings(1.0, 2.0, at_s=100.0))
    earlier = section(readings(3.0, 4.0, at_s=50.0))
    same_moment = section([one(SPO2, 5.0, received_s=50.0), one(SPO2, 6.0, received_s=50.0)])
    cuff = section(readings(7.0, channel=PRESSURE, at_s=1.0), device=CUFF)
    for sections in ([later, cuff], [earlier], [same_moment]):
        await cloud.take(gateway.send_sections(sections))
    of_oximeter = [row["value"] for row in await exported(cloud, device=OXIMETER.system_id)]
    assert of_oximeter == [3.0, 5.0, 6.0, 4.0, 1.0, 2.0]
    devices = [row["device"]["system_id"] for row in await exported(cloud)]
    assert sorted(devices, key=devices.index) == devices


async def test_export_in_pages_contains_all_of_many_observations_with_the_same_time(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    many = [one(SPO2, float(number % 100), received_s=7.0) for number in range(PAGE_ROWS + 250)]
    for begin in range(0, len(many), 750):
        await cloud.take(gateway.send_sections([section(many[begin : begin + 750])]))
    rows = await exported(cloud)
    assert [row["value"] for row in rows] == [observation.value for observation in many]
    assert len({place(row) for row in rows}) == len(many)


async def test_export_with_a_start_time_omits_earlier_observations(cloud: CloudUnderTest, gateway: GatewayInVehicle):
    await cloud.take(gateway.send(1.0, 2.0, 3.0))
    assert [row["value"] for row in await exported(cloud, since_us=NOW_US + 2_000_000)] == [2.0, 3.0]


async def test_measurement_resent_from_a_device_memory_is_exported_once(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    memory = [
        one(PRESSURE, (120.0, 80.0), device_time=BEDSIDE_TIME),
        one(PRESSURE, (121.0, 80.0), device_time=BEDSIDE_TIME),
    ]
    first = gateway.send_sections([section(memory, device=CUFF, stored=True)])
    again = gateway.send_sections([section([memory[1], memory[0], memory[0]], device=CUFF, stored=True)])
    fresh = one(PRESSURE, (130.0, 85.0), device_time=BEDSIDE_TIME)
    more = gateway.send_sections([section([memory[0], fresh], device=CUFF, stored=True)])
    await cloud.take(first, again)
    await cloud.take(more)
    rows = await exported(cloud)
    assert sorted((row["sequence"], row["index"], row["value"]["MDC_PRESS_BLD_NONINV_SYS"]) for row in rows) == [
        (1, 0, 120.0),
        (1, 1, 121.0),
        (3, 1, 130.0),
    ]


async def test_observation_is_exported_with_the_encounter_of_its_device_at_the_observed_time(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(1.0, 2.0, 3.0, 4.0))
    device_id = (await cloud.device_ids())[OXIMETER.system_id]
    encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    desk = AssignmentService(cloud.database, cloud.clock, cloud.ids)
    await desk.assign(
        OPERATOR,
        device_id=device_id,
        encounter_id=encounter.id,
        from_us=NOW_US + 2_000_000,
        until_us=NOW_US + 4_000_000,
    )
    assert [row["encounter_id"] for row in await exported(cloud)] == [None, encounter.id, encounter.id, None]


async def test_observations_of_an_unenrolled_device_are_hidden_from_partners_until_enrolment(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    partner = Viewer(OPERATOR.tenant_id, ORGANIZATION)
    assert await exported(cloud, partner, hidden=False) == []
    await Enrolment(cloud.database, cloud.clock, cloud.ids).enrol(
        OPERATOR,
        organization_id=ORGANIZATION,
        serial_number="SYN-1",
        device_class="oximeter",
        manufacturer="Synthetic",
        system_id=OXIMETER.system_id,
    )
    assert [row["value"] for row in await exported(cloud, partner, hidden=False)] == [97.0]


async def test_observations_of_merged_devices_are_exported_as_one_device_in_time_order(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    enrolment = Enrolment(cloud.database, cloud.clock, cloud.ids)
    known = {"organization_id": ORGANIZATION, "serial_number": "SYN-1"}
    kind = {"device_class": "oximeter", "manufacturer": "Synthetic"}
    await enrolment.enrol(OPERATOR, **known, **kind)
    await cloud.take(gateway.send_sections([section(readings(1.0, 3.0, at_s=10.0))]))
    enrolled = await enrolment.enrol(OPERATOR, **known, **kind, system_id=OXIMETER.system_id)
    assert enrolled.absorbed is not None
    await cloud.take(gateway.send_sections([section(readings(2.0, 4.0, at_s=10.5))]))
    rows = await exported(cloud, hidden=False, device=enrolled.device.id)
    assert [row["value"] for row in rows] == [1.0, 2.0, 3.0, 4.0]
    assert await exported(cloud, device=enrolled.absorbed) != []


async def test_observations_stay_with_their_organisation_when_the_gateway_moves_to_another_organisation(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(1.0))
    tenancy = Tenancy(cloud.database, cloud.clock, cloud.ids)
    await tenancy.add_organization(OPERATOR, "Synthetic Neighbour", id="org_neighbour")
    await tenancy.add_vehicle(OPERATOR, "org_neighbour", "Synthetic 2", id="veh_neighbour")
    moved = update(gateways).values(organization_id="org_neighbour", vehicle_id="veh_neighbour")
    async with cloud.database.transaction() as tx:
        await tx.execute(moved)
    await cloud.take(gateway.send(2.0))
    assert [row["value"] for row in await exported(cloud, replace(OPERATOR, organization_id=ORGANIZATION))] == [1.0]
    assert [row["value"] for row in await exported(cloud, replace(OPERATOR, organization_id="org_neighbour"))] == [2.0]


async def test_observations_of_another_organisation_or_tenant_are_not_exported(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    assert await exported(cloud, replace(OPERATOR, organization_id="org_other")) == []
    assert await exported(cloud, Actor.operator("ten_other")) == []


async def test_commit_time_in_an_export_is_the_time_at_which_the_cloud_stored_the_observation(
    cloud: CloudUnderTest, gateway: GatewayInVehicle
):
    await cloud.take(gateway.send(97.0))
    (row,) = await exported(cloud, commit_time=True)
    assert row["committed_at"] == "2027-01-15T08:00:00.000000Z"
