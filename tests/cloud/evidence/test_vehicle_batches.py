"""The evidence of an encounter references the signed batches of its vehicle, so that custody begins at the patient."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from cloud.clinical.epcr import Epcr
from cloud.foundation.db import Database, Transaction
from cloud.foundation.objects import LocalObjects
from cloud.work.evidence.model import Evidence
from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import BatchKind, verify_hash
from tests.builders.care_changes import change
from tests.builders.followed_vehicle import MINUTE_US, FollowedVehicle
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.retention_world import waveform


async def run(database: Database, statement: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(text(statement))


@pytest.fixture
async def world(database: Database, tmp_path: Path) -> FollowedVehicle:
    return await FollowedVehicle(database, GatewayInVehicle(), objects=LocalObjects(tmp_path / "objects")).begin()


async def test_reference_has_the_ends_of_the_chain_and_the_signature_of_its_last_batch(world: FollowedVehicle) -> None:
    sent = world.gateway.many(3)
    await world.cloud.take(*sent)
    assert await world.room.following.turn() == 1
    ((found,),) = await world.references()
    assert found == {
        "gateway_id": "gw_test",
        "epoch": "epoch-a",
        "lane": "numeric",
        "first_sequence": 1,
        "last_sequence": 3,
        "hash_before": genesis("gw_test", "epoch-a", "numeric").hex(),
        "hash": sent[-1].batch.hash.hex(),
        "signature": sent[-1].signature.hex(),
        "gateway_key": world.gateway.public_key.hex(),
        "broken_links": [],
    }
    key = bytes.fromhex(found["gateway_key"])
    assert verify_hash(bytes.fromhex(found["hash"]), bytes.fromhex(found["signature"]), key)
    assert await world.room.findings(TENANT) == []


@pytest.mark.contract("A-123")
async def test_reference_names_the_batches_in_which_people_signed_the_report(world: FollowedVehicle) -> None:
    for key, encounter in (("vitals.spo2", "enc_1"), ("signatures.time", "enc_1"), ("signatures.time", "enc_other")):
        value = "97" if key == "vitals.spo2" else "2026-03-24T10:00:00Z"
        await world.cloud.take(
            world.gateway.send_changes(change(key, value, encounter=encounter, entry=key.partition(".")[0]))
        )
    await world.room.following.turn()
    ((found,),) = await world.references()
    assert (found["lane"], found["first_sequence"], found["last_sequence"]) == ("epcr", 1, 3)
    assert found["sign_offs"] == [2]


async def test_each_reference_begins_behind_the_one_before(world: FollowedVehicle) -> None:
    await world.cloud.take(*world.gateway.many(3), waveform(world.gateway))
    await world.room.following.turn()
    await world.cloud.take(*world.gateway.many(2))
    assert await world.room.following.turn() == 0  # too early
    world.pass_minutes(5)
    await world.room.following.turn()
    world.pass_minutes(5)
    assert await world.room.following.turn() == 0  # nothing new
    first, second = await world.ranges()
    assert (sorted(first), second) == ([("numeric", 1, 3), ("waveform", 1, 1)], [("numeric", 4, 5)])
    before, after = await world.references()
    assert after[0]["hash_before"] == next(one["hash"] for one in before if one["lane"] == "numeric")


async def test_batch_above_a_hole_is_referenced_when_the_hole_is_filled(world: FollowedVehicle) -> None:
    first, missing, last = world.gateway.many(3)
    await world.cloud.take(first, last)
    await world.room.following.turn()
    await world.cloud.take(missing)
    world.pass_minutes(5)
    await world.room.following.turn()
    assert await world.ranges() == [[("numeric", 1, 1)], [("numeric", 2, 3)]]
    assert (await world.references())[1][0]["signature"] is None  # its batch came in an earlier group
    assert await world.room.findings(TENANT) == []


async def test_vehicle_is_followed_until_a_batch_that_was_made_after_the_end(world: FollowedVehicle) -> None:
    late = world.gateway.many(2)
    world.pass_minutes(20)
    await world.end()
    await world.room.following.turn()
    world.pass_minutes(30)
    await world.cloud.take(*late)  # made before the end, and sent after it
    await world.room.following.turn()
    world.pass_minutes(30)
    await world.cloud.take(world.gateway.send())
    await world.room.following.turn()
    for _ in range(5):  # the next encounters of the vehicle
        world.pass_minutes(60)
        await world.cloud.take(world.gateway.send())
        await world.room.following.turn()
    assert await world.ranges() == [[("numeric", 1, 2)], [("numeric", 3, 3)]]


async def test_lane_that_arrives_late_is_referenced_when_the_other_lanes_have_long_passed_the_end(
    world: FollowedVehicle,
) -> None:
    late = waveform(world.gateway)
    await world.cloud.take(world.gateway.send())
    await world.room.following.turn()
    await world.end()
    for _ in range(3):
        world.pass_minutes(60)
        await world.cloud.take(world.gateway.send())
        await world.room.following.turn()
    world.pass_minutes(18 * 60)
    await world.room.following.turn()
    await world.cloud.take(late)
    world.pass_minutes(2 * 60)
    await world.room.following.turn()
    assert await world.ranges() == [[("numeric", n, n)] for n in (1, 2)] + [[("waveform", 1, 1)]]


async def test_clock_of_a_vehicle_that_runs_ahead_does_not_end_its_lane(world: FollowedVehicle) -> None:
    world.gateway.now_us += 600 * MINUTE_US
    for number in range(4):
        await world.cloud.take(world.gateway.send())
        world.cloud.clock.at_us += 10 * MINUTE_US
        await world.room.following.turn()
        if number == 1:
            await world.end()
    assert [last for ((_, _, last),) in await world.ranges()] == [1, 2, 3]  # the third arrived after the end


async def test_value_that_no_record_can_hold_stops_neither_its_encounter_nor_others(world: FollowedVehicle) -> None:
    world.gateway.now_us = 2**62
    await world.cloud.take(world.gateway.send_raw(BatchKind.OBSERVATIONS, b"none"), waveform(world.gateway))
    await run(world.database, "UPDATE lanes SET through_sequence = 4611686018427387904 WHERE lane = 'waveform'")
    assert await world.room.following.turn() == 1
    assert await world.ranges() == [[("numeric", 1, 1)]]
    content = json.loads(str((await world.room.records(world.encounter))[-1].content))
    assert content["vehicle_chains"]["gw_test/epoch-a/numeric"]["made_at"] == "9999-12-31T23:59:59.999999Z"


async def test_encounter_that_cannot_be_followed_is_postponed_and_the_others_are_followed(
    world: FollowedVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    epcr = Epcr(world.database, world.cloud.clock, world.cloud.ids, evidence=world.room.of_encounters)
    for id in ("enc_2", "enc_3"):
        await epcr.begin(OPERATOR, organization_id=ORGANIZATION, vehicle_id=VEHICLE, id=id)
    await world.cloud.take(world.gateway.send())
    content_of = world.room.recorder.last_content

    async def fail_once(tx: Transaction, evidence: Evidence) -> Mapping[str, Any] | None:
        if evidence.subject_id == "enc_1":
            raise KeyError(evidence.subject_id)
        return await content_of(tx, evidence)

    monkeypatch.setattr(world.room.recorder, "last_content", fail_once)
    assert await world.room.following.turn() == 2
    monkeypatch.undo()
    assert await world.room.following.turn() == 0
    world.pass_minutes(5)
    assert await world.room.following.turn() == 1


async def test_records_of_a_long_encounter_become_fewer(world: FollowedVehicle) -> None:
    hours = 20
    for _ in range(2 * hours):
        world.pass_minutes(30)
        await world.cloud.take(world.gateway.send())
        await world.room.following.turn()
    assert 20 < len(await world.ranges()) < 32


async def test_broken_link_is_named(world: FollowedVehicle) -> None:
    first, second = world.gateway.many(2)
    forked = GatewayInVehicle()
    forked.send(1.0)
    await world.cloud.take(first, forked.send(2.0))
    await world.room.following.turn()
    ((found,),) = await world.references()
    assert (found["last_sequence"], found["broken_links"]) == (2, [2])
    assert second.batch.sequence == 2


async def test_batch_that_was_removed_after_its_period_or_erased_is_no_finding(world: FollowedVehicle) -> None:
    await world.cloud.take(*world.gateway.many(3))
    await world.room.following.turn()
    await world.cloud.take(*world.gateway.many(3))
    await world.set_days(batches=14)
    world.pass_days(15)
    await world.cloud.take(world.gateway.send())
    await world.sweep("batches")
    assert await world.room.findings(TENANT) == []


async def test_check_names_the_record_whose_batch_the_cloud_lost(world: FollowedVehicle) -> None:
    await world.cloud.take(*world.gateway.many(3))
    await world.room.following.turn()
    await world.cloud.take(world.gateway.send())
    (record,) = [one for one in await world.room.records(world.encounter) if one.position == 2]
    for statement, reason in (
        (
            "UPDATE batches SET hash = previous_hash WHERE sequence = 3",
            "the cloud holds another batch with this number",
        ),
        ("DELETE FROM batches WHERE sequence = 3", "the cloud does not hold it, and has not removed it"),
        ("UPDATE lanes SET epoch = 'epoch-b'", "the cloud does not hold this lane"),
    ):
        await run(world.database, statement)
        (finding,) = await world.room.findings(TENANT)
        assert finding.record_id == record.record_id
        assert finding.reason == f"batch gw_test epoch-a numeric 3: {reason}"
