"""Erasing an encounter removes its values from rows, minute rows and signed batches, and nothing of others."""

from dataclasses import replace

import pytest
from sqlalchemy import update

from cloud.access.tenancy import Tenancy
from cloud.clinical.epcr import JoinedReport, MissionChange
from cloud.clinical.epcr.errors import EncounterUnknown
from cloud.clinical.epcr.tables import care_changes, encounters
from cloud.clinical.handover.tables import share_links
from cloud.clinical.observations import observation_minutes, observations, stored_measurements
from cloud.clinical.observations.minutes import compaction as compacting
from cloud.clinical.observations.tables import lane_days
from cloud.foundation.db import Database
from cloud.vehicles.custody import Content, batches, quarantined_batches
from cloud.vehicles.custody.tables import removed_ranges
from cloud.vehicles.erasure.eraser import ROUND_US, Eraser
from cloud.vehicles.erasure.model import Phase
from cloud.vehicles.erasure.place import ErasingPlace
from cloud.vehicles.erasure.row_phases import count_changes
from protocols.device_time import DeviceTime, TimeKind
from protocols.epcr.annotations import Annotation
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.sharing import token_hash
from protocols.uplink.envelope import BatchKind
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceRef
from tests.builders.care_changes import change
from tests.builders.erasure_world import ENCOUNTER, MASTER, SECOND_US, ErasureWorld
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle, readings, section
from tests.builders.share_links import LINK, TOKEN
from tests.builders.statement_count import CountingDatabase

# The statements run on both databases in other tests.
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
MEMORY_TIME = DeviceTime(TimeKind.RELATIVE, bytes(4))


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle) -> ErasureWorld:
    return await ErasureWorld(database, gateway).begin()


async def test_values_within_the_assignment_go_with_their_batches_and_others_stay(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(gateway.send(1.0, 2.0), gateway.send(3.0, 4.0), gateway.send(5.0))
    gateway.now_us += 60 * SECOND_US
    await world.cloud.take(gateway.send(6.0, 7.0))
    await world.assign(NOW_US + 61 * SECOND_US, NOW_US + 62 * SECOND_US)
    assert (await world.epcr.summary(OPERATOR, ENCOUNTER)).encounter.id == ENCOUNTER
    found = await world.erase()
    assert await world.values() == [1.0, 3.0, 5.0, 2.0, 4.0, 7.0]
    assert (found.observations, found.batches, found.others) == (1, 1, 1)
    with pytest.raises(EncounterUnknown):
        await world.epcr.summary(OPERATOR, ENCOUNTER)
    assert await world.sequences(batches) == [1, 2, 3, 4], "the end of the lane keeps its row"
    assert [row.content for row in await world.cloud.rows(batches)] == [*["rows"] * 3, "removed"]
    (report,) = await world.reports(rows=True)
    assert (report.findings, report.through, report.erased, report.removed) == ([], 4, 1, 0)
    await world.cloud.take(gateway.send(8.0))
    assert await world.findings() == [], "the next batch is linked to the erased one"


@on_sqlite
async def test_erased_batch_that_is_sent_again_is_acknowledged_and_not_stored(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    sent = [gateway.send(float(number)) for number in range(3)]
    await world.cloud.take(*sent)
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    await world.erase()
    (ack,) = await world.cloud.take(sent[1])
    assert ack.through_sequence == 3
    assert await world.count(observations) == 0


async def test_values_in_minute_rows_go_and_the_rest_of_the_minute_stays(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.compact()  # from this day on minute rows are allowed
    world.pass_days(10)
    begin_us = gateway.now_us
    await world.cloud.take(*[gateway.send(*map(float, range(10 * number, 10 * number + 10))) for number in range(3)])
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    other.now_us = gateway.now_us
    await world.cloud.register_gateway(other)
    await world.cloud.take(other.send(99.0))
    world.pass_days(10)
    await world.compact()
    assert await world.count(observations) == 0
    await world.assign(begin_us + 4 * SECOND_US, begin_us + 6 * SECOND_US)
    found = await world.erase()
    assert sorted(map(float, map(str, await world.values()))) == [
        *[float(number) for number in range(30) if number % 10 not in (3, 4)],
        99.0,
    ]
    assert (found.observations, found.batches, found.others) == (6, 3, 24)
    assert await world.findings() == []


async def test_minute_rows_are_merged_before_and_after_an_erasure_and_not_meanwhile(
    world: ErasureWorld, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(compacting, "STEP_ROWS", 10)
    await world.compact()
    world.pass_days(10)
    begin_us = gateway.now_us
    await world.cloud.take(*[gateway.send(*map(float, range(10 * number, 10 * number + 10))) for number in range(3)])
    world.pass_days(10)
    await world.compact()
    assert await world.count(observation_minutes) == 3
    await world.assign(begin_us + 4 * SECOND_US, begin_us + 6 * SECOND_US)
    await world.request()
    await world.merge()
    assert await world.count(observation_minutes) == 3
    assert (await world.work()).observations == 6
    world.pass_days(1)
    await world.merge()
    assert [row.value_count for row in await world.cloud.rows(observation_minutes)] == [24]
    assert sorted(map(float, map(str, await world.values()))) == [
        float(number) for number in range(30) if number % 10 not in (3, 4)
    ]
    assert await world.findings() == []


@on_sqlite
async def test_minute_row_that_is_erased_whole_leaves_no_entry_of_its_day(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.compact()
    world.pass_days(10)
    begin_us = gateway.now_us
    await world.cloud.take(gateway.send(1.0, 2.0))
    world.pass_days(10)
    await world.compact()
    await world.assign(begin_us, begin_us + 60 * SECOND_US)
    await world.erase()
    assert await world.count(observation_minutes) == await world.count(lane_days) == 0


async def test_repetitions_from_a_memory_go_with_batches_that_have_no_rows(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    other = GatewayInVehicle(gateway="gw_other", key_seed=2)
    await world.cloud.register_gateway(other)
    (value,) = readings(97.0)
    memory = [section([replace(value, device_time=MEMORY_TIME)], stored=True, device_offset_us=NOW_US)]
    await world.cloud.take(gateway.send_sections(memory))
    other.now_us += 3_600 * SECOND_US
    await world.cloud.take(other.send(1.0), other.send_sections(memory), other.send(2.0))
    await world.assign(NOW_US - SECOND_US, NOW_US + SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches) == (1, 2)
    assert await world.values() == [1.0, 2.0]
    assert await world.count(stored_measurements) == 0
    assert await world.findings() == []
    # The meter resends its memory: a later round removes it.
    await world.cloud.take(other.send_sections(memory))
    assert len(await world.values()) == 3
    world.pass_us(ROUND_US + 1)
    found = await world.work()
    assert (found.observations, found.batches) == (2, 3)
    assert await world.values() == [1.0, 2.0]
    assert await world.findings() == []


@on_sqlite
async def test_values_that_arrive_after_the_erasure_are_erased_within_an_hour(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(gateway.send(1.0))
    backlog = gateway.send(2.0)
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    first = await world.erase()
    await world.cloud.take(backlog)
    assert await world.values() == [2.0]
    await world.eraser.turn()
    world.pass_us(ROUND_US + 1)
    found = await world.work()
    assert await world.values() == []
    assert (found.observations, found.batches, found.finished_at_us) == (2, 2, first.finished_at_us)
    assert await world.findings() == []


async def test_field_changes_go_with_their_batches_and_those_of_others_stay(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.begin_encounter("enc_other")
    await world.cloud.take(
        gateway.send_changes(change(value="90"), change(value="91", encounter="enc_other")),
        gateway.send_changes(change(value="92", encounter="enc_other")),
        gateway.send_changes(change(value="93")),
    )
    found = await world.erase()
    assert [row.value for row in await world.cloud.rows(care_changes)] == ["91", "92"]
    assert (found.changes, found.batches, found.others) == (2, 2, 1)
    assert await world.findings() == []
    assert [row.id for row in await world.cloud.rows(encounters)] == ["enc_other"]


async def test_report_that_the_encounter_was_joined_to_goes_with_it(world: ErasureWorld, gateway: GatewayInVehicle):
    report = "enc_of_crew"
    link = change(Annotation.SHARE, token_hash(TOKEN), entry=LINK, encounter=report)
    await world.cloud.take(
        gateway.send_changes(change(value="91", encounter=report), link),
        gateway.send_changes(change(Annotation.PART_OF, ENCOUNTER, encounter=report)),
        gateway.send_changes(change(Annotation.JOINED, report)),
        gateway.send_changes(change(value="92", encounter="enc_other")),
    )
    found = await world.erase()
    assert [row.value for row in await world.cloud.rows(care_changes)] == ["92"]
    assert (found.changes, found.batches) == (4, 3)
    assert not await world.cloud.rows(share_links)
    assert await world.findings() == []


@on_sqlite
async def test_late_changes_of_an_erased_report_are_erased_in_the_next_round(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    known, unknown = "enc_of_crew", "enc_of_crew_2"
    await world.cloud.take(
        gateway.send_changes(change(Annotation.PART_OF, ENCOUNTER, encounter=known)),
        gateway.send_changes(change(Annotation.JOINED, known)),
    )
    late = gateway.send_changes(change(value="93", encounter=known), change(value="94", encounter=unknown))
    link = change(Annotation.SHARE, token_hash(TOKEN), entry=LINK, encounter=unknown)
    statement = gateway.send_changes(change(Annotation.PART_OF, ENCOUNTER, encounter=unknown), link)
    await world.erase()
    await world.cloud.take(late)
    await world.later_round()
    # The second report's own statement has not arrived, so it may be of any patient.
    assert [row.value for row in await world.cloud.rows(care_changes)] == ["94"]
    await world.cloud.take(statement)
    await world.later_round()
    assert [row.value for row in await world.cloud.rows(care_changes)] == []
    assert not await world.cloud.rows(share_links)
    assert await world.findings() == []


@on_sqlite
async def test_late_changes_of_another_gateway_with_the_id_of_an_erased_report_stay(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    relief = GatewayInVehicle(gateway="gw_relief", key_seed=2)
    await world.cloud.register_gateway(relief)
    await world.cloud.take(gateway.send_changes(change(Annotation.JOINED, "enc_of_crew")))
    await world.erase()
    await world.cloud.take(relief.send_changes(change(value="93", encounter="enc_of_crew")))
    await world.later_round()
    assert [row.value for row in await world.cloud.rows(care_changes)] == ["93"]


@on_sqlite
async def test_number_of_joined_reports_does_not_stop_an_erasure(world: ErasureWorld, gateway: GatewayInVehicle):
    await world.cloud.take(gateway.send_changes(change(), change(encounter="enc_7"), change(encounter="enc_other")))
    erasure = await world.request()
    reports = [JoinedReport(f"enc_{number}", "gw_test") for number in range(2_000)]
    async with world.database.read() as tx:
        assert await count_changes(tx, erasure, reports) == 2


@on_sqlite
async def test_preview_counts_the_changes_of_a_report_that_the_encounter_was_joined_to(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(
        gateway.send_changes(change(Annotation.PART_OF, ENCOUNTER, encounter="enc_of_crew")),
        gateway.send_changes(change(Annotation.JOINED, "enc_of_crew")),
        gateway.send_changes(change(encounter="enc_other")),
    )
    await world.missions.change(OPERATOR, ENCOUNTER, MissionChange(status=EncounterStatus.COMPLETED))
    preview = await world.erasures.preview(OPERATOR, ENCOUNTER)
    assert (preview.changes, preview.reports) == (2, ["enc_of_crew"])


@on_sqlite
async def test_unreadable_batch_of_another_vehicle_stays_where_its_lane_has_repetitions(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    other, unreadable = GatewayInVehicle(gateway="gw_other", key_seed=2), b"\xff of a newer gateway"
    tenancy = Tenancy(world.database, world.cloud.clock, world.cloud.ids)
    await tenancy.add_vehicle(OPERATOR, ORGANIZATION, "Synthetic 2", id="veh_other")
    await world.cloud.register_key(other.gateway, other.public_key, vehicle="veh_other")
    (value,) = readings(97.0)
    meter = DeviceRef("8877665544332211", "Synthetic Meter")
    memory = [section([replace(value, device_time=MEMORY_TIME)], device=meter, stored=True, device_offset_us=NOW_US)]
    await world.cloud.take(gateway.send(1.0), gateway.send_raw(BatchKind.OBSERVATIONS, unreadable))
    await world.cloud.take(*(other.send_sections(memory) for _ in range(2)))
    await world.cloud.take(other.send_raw(BatchKind.OBSERVATIONS, unreadable))
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    found = await world.erase()
    assert (found.unread, found.batches) == (1, 2)
    left = [row.content for row in await world.cloud.rows(batches) if row.vehicle_id == "veh_other"]
    assert left == [Content.ROWS.value, Content.ROWS.value, Content.UNREADABLE.value]
    assert await world.findings() == []


@on_sqlite
async def test_unreadable_and_quarantined_batches_of_the_time_of_the_encounter_go(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(gateway.send(1.0), gateway.send_raw(BatchKind.OBSERVATIONS, b"\xff of a newer gateway"))
    first, second = gateway.send(2.0), GatewayInVehicle(key_seed=1)
    second.send(5.0)
    await world.cloud.take(first)
    forged = replace(gateway.send(7.0), signature=bytes(64))
    await world.cloud.take(forged)
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    found = await world.erase()
    assert (found.unread, found.quarantined, found.batches) == (1, 1, 3)
    assert {row.reason: row.octets for row in await world.cloud.rows(quarantined_batches)} == {"forged": None}
    assert await world.findings() == []


@on_sqlite
async def test_every_step_leaves_a_chain_that_verifies_and_continues_in_another_process(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.cloud.take(gateway.send(1.0, 2.0), gateway.send(3.0), gateway.send_changes(change()))
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    erasure = await world.request()
    phases = []
    while await world.eraser.step(erasure.erasure_id):
        phases.append((await world.erased()).phase)
        assert await world.findings() == []
    assert phases[-1] is Phase.DONE
    assert [*dict.fromkeys(phases)] == list(Phase), "each phase once, in order"
    assert await world.values() == []


@on_sqlite
async def test_range_that_was_deleted_by_hand_is_no_erasure(world: ErasureWorld, gateway: GatewayInVehicle):
    await world.cloud.take(*gateway.many(5))
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    await world.erase()
    assert await world.findings() == []
    async with world.database.transaction() as tx:
        longer = update(removed_ranges).values(first_sequence=removed_ranges.c.first_sequence, last_sequence=4)
        await tx.execute(longer.where(removed_ranges.c.cause == "erasure"))
    found = await world.findings(rows=False)
    assert [what for _, what, *_ in found if "master key does not prove" in what]
    world.seals = None
    assert any("master key does not prove" in what for _, what, *_ in await world.findings(rows=False))


@on_sqlite
async def test_parked_batch_is_erased_when_it_has_its_rows(world: ErasureWorld, gateway: GatewayInVehicle):
    await world.cloud.take(gateway.send(1.0))
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    async with world.database.transaction() as tx:
        await tx.execute(update(batches).values(content=Content.PARKED.value))
    found = await world.erase()
    assert (found.observations, found.batches) == (1, 0)
    assert len(await world.cloud.rows(batches)) == 1


@on_sqlite
async def test_other_lanes_are_not_touched(world: ErasureWorld, gateway: GatewayInVehicle):
    await world.cloud.take(gateway.send(1.0), gateway.send_event(), gateway.send(9.0, lane=Lane.EVENT))
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    found = await world.erase()
    assert (found.observations, found.batches) == (2, 2)
    assert await world.sequences(batches, Lane.EVENT) == [1, 2]
    assert await world.findings() == []


@on_sqlite
async def test_number_of_statements_of_a_step_does_not_depend_on_its_values_and_batches(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    counted = []
    for count in (1, 2, 20):
        begin_us = gateway.now_us
        await world.cloud.take(*[gateway.send(*map(float, range(5))) for _ in range(count)])
        encounter = f"enc_{count}"
        await world.begin_encounter(encounter)
        await world.assign(begin_us, begin_us + 10 * SECOND_US, encounter=encounter)
        erasure = await world.request(encounter)
        counting = CountingDatabase(world.database)
        place = ErasingPlace(counting, world.cloud.clock, world.cloud.ids, lambda: MASTER)
        await Eraser(place).step(erasure.erasure_id)
        assert (await world.erased(encounter)).observations == 5 * count
        counted.append(counting.statements)
        await world.work(encounter)
        world.pass_us(60 * SECOND_US)
    assert counted[1] == counted[2] <= 30
