"""An erasure is refused while the encounter is open or held, and what is erased cannot be used again."""

import pytest

from cloud.access.audit.tables import audit_entries
from cloud.clinical.epcr.errors import EncounterTaken, EncounterUnknown
from cloud.clinical.epcr.tables import care_changes
from cloud.clinical.observations import held_observations
from cloud.foundation.db import Database
from cloud.foundation.retention import DAY_US, HoldScope
from cloud.vehicles.custody import batches
from cloud.vehicles.erasure import erasure_findings
from cloud.vehicles.erasure.errors import EncounterErased, EncounterHeld, EncounterOpen
from cloud.vehicles.erasure.model import ErasureReason
from protocols.epcr.annotations import Annotation
from tests.builders.care_changes import change
from tests.builders.erasure_world import ENCOUNTER, SEALS, SECOND_US, ErasureWorld
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT
from tests.builders.ingest_gateway import NOW_US, GatewayInVehicle

REASON = ErasureReason.PATIENT_REQUEST
# The statements are the same on both databases, and those of erasing run on both in the other files.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
async def world(database: Database, gateway: GatewayInVehicle) -> ErasureWorld:
    made = await ErasureWorld(database, gateway).begin()
    await made.cloud.take(gateway.send(1.0))
    return made


async def test_open_encounter_is_not_erased(world: ErasureWorld):
    with pytest.raises(EncounterOpen, match="in_progress"):
        await world.erasures.request(OPERATOR, ENCOUNTER, REASON, SEALS)
    await world.assign(NOW_US, None)
    with pytest.raises(EncounterOpen, match="Open assignments: asg_"):
        await world.request()
    with pytest.raises(EncounterUnknown):
        await world.erasures.request(OPERATOR, "enc_none", REASON, SEALS)
    assert (await world.epcr.summary(OPERATOR, ENCOUNTER)).encounter.id == ENCOUNTER


@pytest.mark.parametrize("scope", [HoldScope.TENANT, HoldScope.ENCOUNTER, HoldScope.DEVICE, HoldScope.GATEWAY])
async def test_hold_forbids_the_erasure_until_it_is_released(world: ErasureWorld, scope: HoldScope):
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    (device_id,) = (await world.cloud.device_ids()).values()
    objects = {HoldScope.TENANT: TENANT, HoldScope.ENCOUNTER: ENCOUNTER, HoldScope.DEVICE: device_id,
               HoldScope.GATEWAY: "gw_test"}  # fmt: skip
    hold = await world.retention.hold(OPERATOR, scope, objects[scope], "case 1")
    with pytest.raises(EncounterHeld, match=hold.id):
        await world.request()
    assert await world.erasures.of_tenant(TENANT) == []
    await world.retention.release(OPERATOR, hold.id)
    await world.erasures.request(OPERATOR, ENCOUNTER, REASON, SEALS)
    assert (await world.work()).observations == 1


async def test_hold_that_is_placed_meanwhile_stops_the_erasure(world: ErasureWorld):
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    await world.request()
    hold = await world.retention.hold(OPERATOR, HoldScope.TENANT, TENANT, "case 1")
    await world.eraser.turn()
    assert await world.values() == [1.0]
    (finding,) = await erasure_findings(world.database, world.cloud.clock)
    assert hold.id in finding.sentence
    await world.retention.release(OPERATOR, hold.id)
    await world.work()
    assert await world.values() == []
    (finding,) = await erasure_findings(world.database, world.cloud.clock)
    assert finding.sentence == "No erasure is unfinished."


async def test_hold_of_another_encounter_forbids_an_erasure_near_it_only(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.begin_encounter("enc_other")
    await world.assign(NOW_US + 10 * SECOND_US, NOW_US + 20 * SECOND_US, encounter="enc_other")
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, "enc_other", "case 1")
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    with pytest.raises(EncounterHeld, match=hold.id):
        await world.request()
    world.cloud.clock.at_us += 3 * DAY_US
    await world.begin_encounter("enc_later")
    await world.assign(NOW_US + 3 * DAY_US, NOW_US + 3 * DAY_US + SECOND_US, encounter="enc_later")
    await world.erase("enc_later")
    assert len(await world.cloud.rows(batches)) == 1


async def test_hold_of_an_encounter_keeps_the_report_that_it_was_joined_to(
    world: ErasureWorld, gateway: GatewayInVehicle
):
    await world.begin_encounter("enc_other")
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, "enc_other", "case 1")
    await world.cloud.take(
        gateway.send_changes(
            change(Annotation.JOINED, "enc_of_crew", encounter="enc_other"),
            change(Annotation.JOINED, "enc_of_crew", encounter=ENCOUNTER),
        )
    )
    async with world.database.read() as tx:
        kept = await held_observations(tx, TENANT, [hold.held])
    assert kept.encounter_ids == {"enc_other", "enc_of_crew"}
    with pytest.raises(EncounterHeld, match=hold.id):
        await world.request()


async def test_hold_keeps_a_report_whose_join_arrives_after_the_request(world: ErasureWorld, gateway: GatewayInVehicle):
    await world.begin_encounter("enc_other")
    hold = await world.retention.hold(OPERATOR, HoldScope.ENCOUNTER, "enc_other", "case 1")
    await world.cloud.take(gateway.send_changes(change(Annotation.JOINED, "enc_of_crew", encounter="enc_other")))
    await world.request()
    await world.cloud.take(
        gateway.send_changes(change(Annotation.JOINED, "enc_of_crew")),
        gateway.send_changes(change(value="93", encounter="enc_of_crew")),
    )
    await world.eraser.turn()
    assert [row.encounter_id for row in await world.cloud.rows(care_changes)] == ["enc_other", ENCOUNTER, "enc_of_crew"]
    assert hold.id in ((await world.erased()).failure or "")
    await world.retention.release(OPERATOR, hold.id)
    await world.work()
    assert [row.encounter_id for row in await world.cloud.rows(care_changes)] == ["enc_other"]


async def test_erased_encounter_is_audited_and_its_id_is_not_used_again(world: ErasureWorld):
    preview_open = pytest.raises(EncounterOpen)
    with preview_open:
        await world.erasures.preview(OPERATOR, ENCOUNTER)
    await world.assign(NOW_US, NOW_US + 10 * SECOND_US)
    await world.erase()
    with pytest.raises(EncounterErased):
        await world.erasures.preview(OPERATOR, ENCOUNTER)
    with pytest.raises(EncounterTaken, match="erased"):
        await world.epcr.begin(OPERATOR, organization_id=ORGANIZATION, id=ENCOUNTER)
    actions = [row.action for row in await world.cloud.rows(audit_entries) if row.object == ENCOUNTER]
    assert actions[-2:] == ["encounter.erase", "encounter.erased"]
