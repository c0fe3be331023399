"""The rows that were unpacked from batches are deleted after the period of their kind, except those under a hold."""

import pytest

from cloud.clinical.acqi.marking import mark_next
from cloud.clinical.acqi.tables import acqi_days, acqi_encounters
from cloud.clinical.assignments import AssignmentService
from cloud.clinical.epcr import CareModel, Dispatch, Epcr
from cloud.clinical.epcr.tables import care_changes
from cloud.clinical.incidents.tables import incidents
from cloud.clinical.nemsis.importing import Destination, ReportImport
from cloud.clinical.observations.service import ObservationService
from cloud.clinical.observations.tables import observations, stored_measurements
from cloud.foundation.db import Database
from cloud.foundation.ids import UlidIds
from cloud.foundation.retention import DAY_US, HoldScope
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.ingest.tables import gateway_events
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceRef
from tests.builders.acqi_world import ARREST, score_all
from tests.builders.care_changes import change
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, VEHICLE
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle, readings, section
from tests.builders.nemsis_reports import UUID_TEXT, document
from tests.builders.parts import sweep_once
from tests.builders.retention_world import RetentionWorld, numerics, waveform
from tests.cloud.observations.test_posting import station

CUFF = DeviceRef("8877665544332211", "Synthetic Cuff")


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle) -> RetentionWorld:
    return await RetentionWorld(database, gateway).begin()


async def test_numerics_waveforms_and_events_are_deleted_after_their_own_periods(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(waveforms=10, numerics=20, vehicle_events=30)
    await world.cloud.take(numerics(gateway), waveform(gateway), gateway.send_event())
    left = []
    for _ in range(4):
        world.pass_days(9 if not world.day else 10)
        await world.sweep()
        left.append(
            (
                await world.sequences(observations, Lane.WAVEFORM),
                await world.sequences(observations, Lane.NUMERIC),
                await world.count(gateway_events),
            )
        )
        assert await world.findings() == []
    assert left == [([1], [1], 1), ([], [1], 1), ([], [], 1), ([], [], 0)]


async def test_field_changes_are_deleted_after_their_period_unless_their_encounter_is_held(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(care_records=20)
    epcr = Epcr(world.database, world.cloud.clock, world.cloud.ids)
    await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id="enc_held")
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, "enc_held", "an inquest")
    await world.cloud.take(
        gateway.send_changes(change(encounter="enc_other")), gateway.send_changes(change(encounter="enc_held"))
    )
    world.pass_days(22)
    await world.sweep()
    assert await world.sequences(care_changes, Lane.EPCR) == [2]
    assert await world.findings() == []
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    world.pass_days(1)
    await world.sweep()
    assert await world.sequences(care_changes, Lane.EPCR) == []
    assert await world.findings() == []


async def test_scores_are_deleted_when_their_record_begins_to_expire_and_the_sums_of_days_stay(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(care_records=20)
    epcr = Epcr(world.database, world.cloud.clock, world.cloud.ids)
    await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id="enc_one")
    values = [change(key, value, encounter="enc_one") for key, value in ARREST.items()]
    await world.cloud.take(gateway.send_changes(*values[:3]))
    world.pass_days(5)
    await world.cloud.take(gateway.send_changes(*values[3:]))
    await score_all(world.database)
    (scored,), sums = await world.cloud.rows(acqi_encounters), await world.cloud.rows(acqi_days)
    assert "rosc_survival" in scored.scores
    for days, left in ((16, len(values) - 3), (5, 0)):
        world.pass_days(days)
        await world.sweep("care_records")
        async with world.database.transaction() as tx:
            await mark_next(tx, "", 10)
        await score_all(world.database)
        assert await world.count(care_changes) == left
        assert [row.scores for row in await world.cloud.rows(acqi_encounters)] == ["{}"]
        assert await world.cloud.rows(acqi_days) == sums


async def test_imported_changes_are_deleted_after_their_period_except_those_of_a_held_encounter(world: RetentionWorld):
    await world.set_days(care_records=20)
    to = Destination(organization_id=ORGANIZATION)
    for number in range(2):
        line = f"<eScene><eScene.01>{9923001 + 2 * number}</eScene.01></eScene>"
        data = document(line, uuid=f"{UUID_TEXT[:-1]}{number}")
        (taken,) = await ReportImport(world.database, world.cloud.clock, world.cloud.ids).take(OPERATOR, data, to)
        assert taken.changes == 1
        world.pass_days(1)
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, taken.encounter.id, "a complaint")
    world.pass_days(17)
    await world.sweep()
    assert await world.count(care_changes) == 2
    world.pass_days(3)
    await world.sweep()
    assert [row.encounter_id for row in await world.cloud.rows(care_changes)] == [taken.encounter.id]
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.count(care_changes) == 0


async def test_rows_are_deleted_by_the_time_of_storing_and_not_by_the_clock_of_the_vehicle(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(numerics=20)
    gateway.now_us -= 5_000 * DAY_US
    await world.cloud.take(numerics(gateway))
    gateway.now_us += 10_000 * DAY_US
    await world.cloud.take(numerics(gateway))
    world.pass_days(19)
    await world.sweep()
    assert await world.sequences(observations) == [1, 2]
    world.pass_days(2)
    await world.sweep()
    assert await world.sequences(observations) == []


async def test_rows_outlive_their_batches_and_are_deleted_by_the_record_of_their_removal(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(batches=20, numerics=40)
    await world.cloud.take(numerics(gateway), numerics(gateway))
    world.pass_days(1)
    await world.cloud.take(numerics(gateway))
    world.pass_days(24)
    await world.sweep()
    assert await world.sequences(observations) == [1, 2, 3]
    assert [row.content for row in await world.cloud.rows(batches)] == ["removed"]
    world.pass_days(16)
    await world.sweep()
    assert await world.sequences(observations) == [3]
    world.pass_days(1)
    await world.sweep()
    assert await world.sequences(observations) == []
    assert await world.findings() == []


async def test_batches_outlive_their_rows_and_the_check_of_rows_finds_no_loss(
    world: RetentionWorld, gateway: GatewayInVehicle
):
    await world.set_days(numerics=20)
    await world.cloud.take(numerics(gateway), numerics(gateway))
    world.pass_days(21)
    await world.cloud.take(numerics(gateway))
    await world.sweep()
    assert await world.sequences(observations) == [3]
    assert await world.sequences(batches) == [1, 2, 3]
    assert await world.findings() == []
    async with world.database.transaction() as tx:
        await tx.execute(observations.delete().where(observations.c.position == 0))
    assert await world.findings() == [("numeric", "1 rows are missing", 3, 3)]


async def test_held_encounter_keeps_its_observations_and_their_batches(database: Database, gateway: GatewayInVehicle):
    world = await RetentionWorld(database, gateway).begin()
    clock, ids = world.cloud.clock, world.cloud.ids
    epcr, desk = Epcr(database, clock, ids), AssignmentService(database, clock, ids)
    await world.set_days(numerics=30, batches=30, vehicle_events=30)
    two_devices = [section(readings(97.0)), section(readings(120.0), device=CUFF)]
    for _ in range(3):
        for one in two_devices:
            moved = section(one.observations, device=one.device, wall_offset_us=gateway.now_us)
            await world.cloud.take(gateway.send_sections([moved]))
        world.pass_days(3)
    encounter = await epcr.begin(
        OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, care_model=CareModel.PREHOSPITAL_EMERGENCY
    )
    oximeter = (await world.cloud.device_ids())[OXIMETER.system_id]
    day = clock.now_us() - 6 * DAY_US
    await desk.assign(OPERATOR, device_id=oximeter, encounter_id=encounter.id, from_us=day, until_us=day + 10_000_000)
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, encounter.id, "case 1")
    world.pass_days(31)
    await world.sweep()
    assert await world.sequences(observations) == [3], "of the second day, only the oximeter is held"
    assert [one.sequence for one in await world.cloud.rows(batches) if one.envelope] == [3, 4]
    (report,) = [one for one in await world.reports(rows=True) if one.lane == "numeric"]
    assert (report.findings, report.batches, report.removed, report.begins_at) == ([], 2, 4, 3)
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.count(observations) == 0
    assert await world.findings() == []


async def test_held_device_keeps_its_observations_of_any_time(world: RetentionWorld, gateway: GatewayInVehicle):
    await world.set_days(numerics=30, batches=30)
    both = [section(readings(97.0)), section(readings(120.0, 121.0), device=CUFF)]
    await world.cloud.take(gateway.send_sections(both))
    hold = await world.retention.hold(OPERATOR, HoldScope.DEVICE, CUFF.system_id, "case 1")
    world.pass_days(31)
    await world.sweep()
    assert [row.number for row in await world.cloud.rows(observations)] == [120.0, 121.0]
    assert len([one for one in await world.cloud.rows(batches) if one.envelope]) == 1
    await world.retention.release(OPERATOR, hold.id)
    await world.sweep()
    assert await world.count(observations) == 0


async def test_held_incident_keeps_the_observations_of_its_encounters(world: RetentionWorld, gateway: GatewayInVehicle):
    clock, ids = world.cloud.clock, world.cloud.ids
    await world.set_days(numerics=30, batches=30)
    both = [section(readings(97.0)), section(readings(120.0), device=CUFF)]
    await world.cloud.take(gateway.send_sections(both))
    dispatch = Dispatch(ORGANIZATION, CareModel.PREHOSPITAL_EMERGENCY, VEHICLE, cad_incident_id="CAD-1")
    begun = await Epcr(world.database, clock, ids).dispatch(OPERATOR, dispatch)
    await AssignmentService(world.database, clock, ids).assign(
        OPERATOR,
        device_id=(await world.cloud.device_ids())[OXIMETER.system_id],
        encounter_id=begun.encounter.id,
        from_us=clock.now_us(),
    )
    (incident,) = await world.cloud.rows(incidents)
    await world.retention.hold(OPERATOR, HoldScope.INCIDENT, incident.id, "case 1")
    world.pass_days(31)
    await world.sweep()
    assert [row.number for row in await world.cloud.rows(observations)] == [97.0]


async def test_content_keys_are_as_old_as_their_batches(world: RetentionWorld, gateway: GatewayInVehicle):
    await world.set_days(content_keys=400, batches=30)
    memory = section(readings(97.0, 96.0), stored=True)
    await world.cloud.take(gateway.send_sections([memory]))
    held = await world.count(stored_measurements)
    world.pass_days(399)
    await world.sweep()
    assert await world.count(stored_measurements) == held
    world.pass_days(2)
    await world.sweep()
    assert await world.count(stored_measurements) == 0


async def test_posted_observations_are_deleted_after_the_period_of_numerics(database: Database):
    posting = await station(database)
    posting.service = ObservationService(database, posting.clock, UlidIds(posting.clock))
    for _ in range(2):
        await posting.post()
        posting.clock.advance(us=DAY_US)
    posting.clock.advance(us=(3_660 - 1) * DAY_US - 1)
    assert await sweep_once(database, posting.clock, "numerics") == 1
    async with database.read() as tx:
        assert len(await tx.execute(observations.select())) == 1
