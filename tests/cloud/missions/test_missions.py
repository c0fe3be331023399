"""Missions leave with the encounter's own transaction, reach only the gateways of their vehicle, and end."""

import asyncio
import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select, text, update

from cloud.access.tenancy import Tenancy
from cloud.clinical.epcr.mission import Missions
from cloud.clinical.epcr.model import CareModel, Dispatch, MissionChange
from cloud.clinical.epcr.service import Epcr
from cloud.foundation.db import Database
from cloud.foundation.master_key import MasterKey
from cloud.vehicles.fleet import Fleet, GatewayDirectory
from cloud.vehicles.fleet.access import GatewayAccessDesk
from cloud.vehicles.missions import MissionBell, MissionKeys, MissionReceipts, MissionRows, MissionSender
from cloud.vehicles.missions.model import EXPIRES_US
from cloud.vehicles.missions.sending import SendToGateways
from cloud.vehicles.missions.signals import CHANNEL
from cloud.vehicles.missions.tables import vehicle_missions
from protocols.epcr.encounter import EncounterStatus
from protocols.uplink import topics
from protocols.uplink.limits import SEQUENCE_MAX
from protocols.uplink.missions import Mission, MissionForged, MissionStatus, decode_mission
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT, VEHICLE, CloudUnderTest
from tests.builders.statement_count import CountingDatabase
from tests.harness.eventually import WITHIN_S, eventually

STREET = "Marktgasse 12"
OTHER_VEHICLE = "veh_other"
GATEWAY, OTHER_GATEWAY = "gw_one", "gw_two"


@dataclass
class Room:
    """A cloud with two vehicles, and a replacement for the broker that keeps what was published."""

    cloud: CloudUnderTest
    published: list[tuple[str, bytes]] = field(default_factory=list)
    accepts: bool = True

    def __post_init__(self) -> None:
        database, clock, ids = self.cloud.database, self.cloud.clock, self.cloud.ids
        self.rows = MissionRows(clock)
        self.keys = MissionKeys(lambda: MasterKey(bytes(32)))
        self.sender = MissionSender(database, clock, self.keys)
        self.epcr = Epcr(database, clock, ids, outbox=self.rows)
        self.missions = Missions(database, clock, ids, outbox=self.rows)

    async def send(self, messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        if self.accepts:
            self.published += messages
        return [self.accepts] * len(messages)

    async def step(self) -> list[Mission]:
        """Send what is due; return the missions that were published, as the gateways read them."""
        self.published.clear()
        await self.sender.step(self.send)
        return [self.read(topic, data) for topic, data in self.published]

    def read(self, topic: str, data: bytes, *, tenant: str = TENANT) -> Mission:
        gateway = topic.split("/")[3]
        assert topic == topics.command(TENANT, gateway)
        key = base64.b64decode(self.keys.public_key(tenant))
        return decode_mission(data, tenant=tenant, gateway=gateway, keys=[key])

    async def dispatch(self, vehicle: str | None = VEHICLE, incident: str = "cad_1", **call: str) -> str:
        wanted = Dispatch(ORGANIZATION, CareModel.PREHOSPITAL_EMERGENCY, vehicle, (), incident, call)
        return (await self.epcr.dispatch(OPERATOR, wanted)).encounter.id

    async def report(self, gateway_id: str, **held: int) -> None:
        """Compare the missions with the status of a gateway."""
        async with self.cloud.database.transaction() as tx:
            gateway = await GatewayDirectory().find(tx, TENANT, gateway_id)
            assert gateway is not None
            await MissionReceipts().compare(tx, [(gateway, held)], self.cloud.clock.now_us())

    async def stored(self) -> list[tuple[str, int, MissionStatus, int | None]]:
        async with self.cloud.database.read() as tx:
            found = await self.rows.list(tx, OPERATOR)
        return sorted((one.vehicle_id, one.version, one.status, one.received_version) for one in found)


@pytest.fixture
async def room(database: Database) -> Room:
    cloud = CloudUnderTest(database)
    await cloud.register()
    made = Room(cloud)
    tenancy, fleet = Tenancy(database, cloud.clock, cloud.ids), Fleet(database, cloud.clock, cloud.ids)
    await tenancy.add_vehicle(OPERATOR, ORGANIZATION, "Synthetic 2", id=OTHER_VEHICLE)
    for gateway, vehicle, number in ((GATEWAY, VEHICLE, 1), (OTHER_GATEWAY, OTHER_VEHICLE, 2)):
        key = base64.b64encode(bytes([number]) * 32).decode()
        await fleet.register(OPERATOR, organization_id=ORGANIZATION, vehicle_id=vehicle, public_key=key, id=gateway)
    return made


async def test_new_encounter_is_sent_signed_to_the_gateway_of_its_vehicle_alone(room: Room) -> None:
    encounter = await room.dispatch(**{"scene.street": STREET})
    (mission,) = await room.step()
    assert mission.gateway == GATEWAY
    assert (mission.encounter, mission.vehicle, mission.version, mission.status) == (
        encounter,
        VEHICLE,
        1,
        MissionStatus.IN_PROGRESS,
    )
    assert mission.values == {"call.incident_number": "cad_1", "scene.street": STREET}
    assert await room.step() == []


async def test_key_of_another_tenant_does_not_verify_a_mission(room: Room) -> None:
    await room.dispatch()
    await room.step()
    with pytest.raises(MissionForged):
        room.read(*room.published[0], tenant="ten_other")


async def test_mission_that_the_broker_did_not_accept_is_sent_again(room: Room) -> None:
    room.accepts = False
    await room.dispatch()
    assert await room.step() == []
    room.accepts = True
    assert await room.step() == []  # claimed for some seconds
    room.cloud.clock.at_us += 5_000_000
    assert len(await room.step()) == 1


async def test_vehicle_without_coverage_gets_the_mission_with_its_first_status(room: Room) -> None:
    encounter = await room.dispatch()
    await room.step()
    await room.report(GATEWAY)
    assert {each.encounter for each in await room.step()} == {encounter}
    await room.report(GATEWAY, **{encounter: 1})
    assert await room.step() == []
    assert await room.stored() == [(VEHICLE, 1, MissionStatus.IN_PROGRESS, 1)]


async def test_status_with_a_version_that_was_never_sent_counts_as_the_newest(room: Room) -> None:
    encounter = await room.dispatch()
    await room.step()
    await room.report(GATEWAY, **{encounter: SEQUENCE_MAX})
    assert await room.stored() == [(VEHICLE, 1, MissionStatus.IN_PROGRESS, 1)]


async def test_changed_call_data_are_a_further_version_and_keep_the_others(room: Room) -> None:
    encounter = await room.dispatch(**{"scene.street": STREET, "scene.city": "Bern"})
    await room.step()
    for _ in range(2):  # the second changes nothing
        await room.missions.change(OPERATOR, encounter, MissionChange(call={"scene.street": "Ring 3"}))
    missions = await room.step()
    assert {each.version for each in missions} == {2}
    assert missions[0].values == {"call.incident_number": "cad_1", "scene.street": "Ring 3", "scene.city": "Bern"}


async def test_mission_that_goes_to_another_vehicle_is_withdrawn_from_the_first(room: Room) -> None:
    encounter = await room.dispatch(**{"scene.street": STREET})
    await room.step()
    await room.missions.change(OPERATOR, encounter, MissionChange(vehicle_id=OTHER_VEHICLE))
    missions = {each.gateway: each for each in await room.step()}
    assert (missions[GATEWAY].status, missions[GATEWAY].values) == (MissionStatus.WITHDRAWN, {})
    assert missions[OTHER_GATEWAY].values["scene.street"] == STREET
    await room.missions.change(OPERATOR, encounter, MissionChange(vehicle_id=VEHICLE))
    missions = {each.gateway: each for each in await room.step()}
    assert (missions[GATEWAY].status, missions[GATEWAY].version) == (MissionStatus.IN_PROGRESS, 3)
    assert missions[GATEWAY].values["scene.street"] == STREET
    await room.missions.change(OPERATOR, encounter, MissionChange(vehicle_id=OTHER_VEHICLE))
    missions = {each.gateway: each for each in await room.step()}
    assert missions[OTHER_GATEWAY].values["scene.street"] == STREET


async def test_call_data_wait_for_a_vehicle(room: Room) -> None:
    encounter = await room.dispatch(None, **{"scene.street": STREET})
    assert await room.step() == []
    await room.missions.change(OPERATOR, encounter, MissionChange(vehicle_id=OTHER_VEHICLE))
    (mission,) = await room.step()
    assert (mission.gateway, mission.values["scene.street"]) == (OTHER_GATEWAY, STREET)


async def test_ended_mission_is_deleted_when_the_vehicle_has_its_end(room: Room) -> None:
    encounter = await room.dispatch()
    await room.step()
    await room.report(GATEWAY, **{encounter: 1})
    await room.missions.change(OPERATOR, encounter, MissionChange(status=EncounterStatus.CANCELLED))
    assert {each.status for each in await room.step()} == {MissionStatus.CANCELLED}
    await room.report(GATEWAY, **{encounter: 1})
    assert await room.stored() == [(VEHICLE, 2, MissionStatus.CANCELLED, 1)]
    await room.report(GATEWAY, **{encounter: 2})
    assert await room.stored() == []


async def test_expired_mission_is_neither_sent_nor_kept(room: Room) -> None:
    await room.dispatch()
    room.cloud.clock.at_us += EXPIRES_US
    assert await room.step() == []
    counted = CountingDatabase(room.cloud.database)
    await MissionSender(counted, room.cloud.clock, room.keys).step(room.send)
    assert counted.statements == 0  # none is claimed, several times a second, until it is deleted
    async with room.cloud.database.transaction() as tx:
        assert await room.rows.delete_expired(tx, room.cloud.clock.now_us()) == 1
    assert await room.stored() == []


async def test_suspended_gateway_gets_no_mission(room: Room) -> None:
    desk = GatewayAccessDesk(room.cloud.database, room.cloud.clock, room.cloud.ids)
    await desk.suspend(OPERATOR, GATEWAY, "stolen")
    await room.dispatch()
    assert GATEWAY not in {each.gateway for each in await room.step()}


async def test_mission_of_an_erased_encounter_is_deleted(room: Room) -> None:
    encounter = await room.dispatch()
    async with room.cloud.database.transaction() as tx:
        await room.rows.erase(tx, TENANT, encounter)
    assert await room.step() == []


@pytest.mark.pg
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
@pytest.mark.parametrize("changes", ["sending", "receipts"])
async def test_rows_of_several_missions_are_locked_in_the_order_of_their_key(room: Room, changes: str) -> None:
    """Another transaction holds the first one, which is stored behind the second one."""
    first, second = sorted([await room.dispatch(), await room.dispatch(incident="cad_2")])
    here = vehicle_missions.c
    async with room.cloud.database.transaction() as tx:
        move = update(vehicle_missions).where(here.encounter_id == first)
        await tx.execute(move.values(version=here.version))

    async def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        locked.set()
        await held.wait()
        return [True] * len(messages)

    locked, held = asyncio.Event(), asyncio.Event()
    working: asyncio.Future[Any] = asyncio.ensure_future(room.sender.step(send))
    await locked.wait()
    async with room.cloud.database.transaction() as other:
        await other.execute(select(here.version).where(here.encounter_id == first).with_for_update())
        if changes == "receipts":
            change: asyncio.Future[Any] = asyncio.ensure_future(room.report(GATEWAY, **{first: 1, second: 1}))
        else:
            held.set()
            change = working
        await eventually(lambda: is_row_awaited(room.cloud.database), what="the first row is waited for")
        free = select(here.encounter_id).with_for_update(skip_locked=True)
        async with room.cloud.database.transaction() as tx:
            assert [row.encounter_id for row in await tx.execute(free)] == [second]
    await change
    held.set()
    await working


async def is_row_awaited(database: Database) -> bool:
    async with database.read() as tx:
        waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted AND locktype = 'transactionid'")
        return bool((await tx.execute(waits)).scalar())


class CountedSender(MissionSender):
    """A sender that reports when it has found nothing due, and then waits for a signal: its poll takes an hour."""

    def __init__(self, room: Room, bell: MissionBell) -> None:
        super().__init__(room.cloud.database, room.cloud.clock, room.keys, bell, poll_s=3600.0)
        self.waits = asyncio.Event()

    async def step(self, send: SendToGateways) -> int:
        sent = await super().step(send)
        if not sent:
            self.waits.set()
        return sent


async def until_published(room: Room, bell: MissionBell, outbox: MissionRows) -> None:
    """Dispatch a mission to a sender that waits, and return when it has published it."""
    sender, published = CountedSender(room, bell), asyncio.Event()

    async def listens() -> bool:
        return await room.cloud.database.count_listeners(CHANNEL) > 0

    async def send(messages: Sequence[tuple[str, bytes]]) -> list[bool]:
        published.set()
        return [True] * len(messages)

    running = asyncio.ensure_future(sender.run(send))
    try:
        async with asyncio.timeout(WITHIN_S):  # only a failure takes so long
            await sender.waits.wait()
            if room.cloud.database.dialect == "postgresql":
                await eventually(listens, what="the sender listens")
            room.epcr = Epcr(room.cloud.database, room.cloud.clock, room.cloud.ids, outbox=outbox)
            await room.dispatch()
            await published.wait()
    finally:
        running.cancel()
        await asyncio.wait([running])


async def test_sender_of_the_same_process_is_woken_by_the_commit_of_a_mission(room: Room) -> None:
    bell = MissionBell()
    await until_published(room, bell, MissionRows(room.cloud.clock, bell))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
async def test_sender_of_another_process_is_notified_of_a_mission(room: Room) -> None:
    await until_published(room, MissionBell(), MissionRows(room.cloud.clock, MissionBell()))
