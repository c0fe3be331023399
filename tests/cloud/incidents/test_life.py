"""A dispatched encounter opens an incident, whose state follows its encounters and whose events are in order."""

import asyncio
from typing import Any

import orjson
import pytest

from cloud.clinical.epcr import Dispatch, EncounterTaken, MissionChange
from cloud.clinical.epcr.errors import EncounterFinished
from cloud.clinical.epcr.model import CareModel
from cloud.clinical.epcr.tables import encounters
from cloud.clinical.incidents import Incident, Incidents
from cloud.foundation.db import Database
from cloud.foundation.events import DomainSearch
from protocols.epcr.encounter import EncounterStatus
from tests.builders.webhook_surface import WebhookSurface, webhook_surface
from tests.harness.receiver import Receiver, receiving

INCIDENTS = ("incident.created", "incident.updated", "incident.closed")
DONE = EncounterStatus.COMPLETED


async def incidents(here: WebhookSurface) -> list[Incident]:
    service = Incidents(here.story.clock, here.story.ids)
    return list(await service.list(here.story.database, here.story.home.viewer, count=10))


async def events(here: WebhookSurface, prefix: str = "incident.") -> list[tuple[str, dict[str, Any]]]:
    """Return type and payload of the published events whose type begins with `prefix`, the oldest first."""
    async with here.story.database.read() as tx:
        told = await here.story.outbox.list(tx, here.story.home.operator, DomainSearch(limit=100))
    return [(event.type, dict(event.payload)) for event in told if event.type.startswith(prefix)]


async def finish(here: WebhookSurface, encounter_id: str, how: EncounterStatus = DONE) -> None:
    await here.missions.change(here.story.home.viewer, encounter_id, MissionChange(status=how))


@pytest.mark.contract("C-079", "A-059")
async def test_incident_opens_with_its_first_encounter_and_closes_when_its_last_encounter_finishes(database: Database):
    async with webhook_surface(database) as here:
        first = await here.dispatch("cad_1", vehicle_id="veh_north")
        second = await here.dispatch("cad_1")
        assert await here.dispatch("cad_1") == second, "a repetition is no news"
        await here.missions.change(here.story.home.viewer, first, MissionChange(care_model=CareModel.EVENT_MEDICAL))
        await finish(here, first, EncounterStatus.TRANSFERRED)
        here.story.clock.advance(us=60_000_000)
        await finish(here, second)
        told = [(kind, payload["change"], payload["open_encounters"]) for kind, payload in await events(here)]
        assert told == [
            ("incident.created", "opened", 1),
            ("incident.updated", "encounter_added", 2),
            ("incident.updated", "encounter_updated", 2),
            ("incident.updated", "encounter_finished", 1),
            ("incident.closed", "encounter_finished", 0),
        ]
        last = (await events(here))[-1][1]
        assert (last["cad_incident_id"], last["encounter_id"], last["encounters"]) == ("cad_1", second, 2)
        assert last["opened_at"] == "2026-03-24T12:00:00.000000Z"
        assert last["closed_at"] == last["updated_at"] == "2026-03-24T12:01:00.000000Z"
        (incident,) = await incidents(here)
        assert (incident.status, incident.encounters, incident.open_encounters) == ("closed", 2, 0)


async def test_dispatch_of_another_vehicle_reopens_a_closed_incident(database: Database):
    async with webhook_surface(database) as here:
        await finish(here, await here.dispatch("cad_1", vehicle_id="veh_north"))
        await here.dispatch("cad_1")
        kind, payload = (await events(here))[-1]
        assert (kind, payload["change"], payload["status"]) == ("incident.updated", "reopened", "open")
        assert payload["closed_at"] is None


async def test_same_incident_number_in_two_organisations_identifies_two_incidents(database: Database):
    async with webhook_surface(database) as here:
        await here.dispatch("cad_1")
        await here.epcr.dispatch(
            here.story.home.operator,
            Dispatch("org_elsewhere", CareModel.PREHOSPITAL_EMERGENCY, cad_incident_id="cad_1"),
        )
        assert [kind for kind, _ in await events(here)] == ["incident.created"] * 2
        assert len(await incidents(here)) == 1, "north sees its own"


async def test_encounter_without_a_dispatch_publishes_encounter_events_and_no_incident_events(database: Database):
    async with webhook_surface(database) as here:
        viewer = here.story.home.viewer
        made = await here.epcr.begin(viewer, organization_id="org_north")
        await here.missions.change(viewer, made.id, MissionChange(vehicle_id="veh_north"))
        await finish(here, made.id)
        assert await incidents(here) == []
        told = [(kind, payload) for kind, payload in await events(here, "epcr.") if payload["encounter_id"] == made.id]
        assert [kind for kind, _ in told] == [
            "epcr.encounter.created",
            "epcr.encounter.updated",
            "epcr.encounter.finished",
        ]
        assert [payload["incident_id"] for _, payload in told] == [None] * 3
        assert (told[1][1]["changed"], told[1][1]["vehicle_id"]) == (["vehicle_id"], "veh_north")
        assert (told[2][1]["status"], told[2][1]["finished_at"]) == ("completed", "2026-03-24T12:00:00.000000Z")


async def test_encounter_finished_event_is_published_once_and_a_finished_encounter_cannot_be_changed(
    database: Database,
):
    async with webhook_surface(database) as here:
        viewer = here.story.home.viewer
        made = await here.dispatch("cad_1")
        await finish(here, made)
        await finish(here, made)
        with pytest.raises(EncounterFinished):
            await finish(here, made, EncounterStatus.CANCELLED)
        with pytest.raises(EncounterFinished):
            await here.missions.change(viewer, made, MissionChange(vehicle_id="veh_north"))
        assert [kind for kind, _ in await events(here)] == ["incident.created", "incident.closed"]


async def test_encounter_change_that_is_refused_or_changes_nothing_publishes_no_event(database: Database):
    async with webhook_surface(database) as here:
        viewer = here.story.home.viewer
        made = await here.dispatch("cad_1", vehicle_id="veh_north")
        other = await here.dispatch("cad_1")
        before = await events(here)
        await here.missions.change(
            viewer, made, MissionChange(vehicle_id="veh_north", care_model=CareModel.PREHOSPITAL_EMERGENCY)
        )
        with pytest.raises(EncounterTaken):
            await here.missions.change(viewer, other, MissionChange(vehicle_id="veh_north"))
        assert await events(here) == before


async def test_concurrent_starts_and_ends_of_encounters_of_one_incident_are_all_counted(database: Database):
    async with webhook_surface(database) as here:
        await asyncio.gather(here.dispatch("cad_1"), here.dispatch("cad_1", vehicle_id="veh_north"))
        (incident,) = await incidents(here)
        assert (incident.encounters, incident.open_encounters) == (2, 2)
        made = {payload["encounter_id"] for _, payload in await events(here)}
        await asyncio.gather(*(finish(here, encounter_id) for encounter_id in made))
        told = [kind for kind, _ in await events(here)]
        assert told == ["incident.created", "incident.updated", "incident.updated", "incident.closed"]


@pytest.mark.contract("C-079", "C-078", "A-013")
async def test_incident_events_reach_a_webhook_in_order_and_contain_no_secrecy_level(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        await here.create(*INCIDENTS, url=receiver.url(), who="plain")
        made = [await here.dispatch(f"cad_{number}") for number in range(3)]
        for encounter_id in made:
            await finish(here, encounter_id)
        await here.story.turn()
        assert heard(receiver) == {f"cad_{number}": ["incident.created", "incident.closed"] for number in range(3)}
        assert "secrecy_level" not in str([request.body for request in receiver.received])


@pytest.mark.contract("C-078", "A-059")
async def test_webhook_of_an_app_that_lost_the_scope_of_an_event_gets_no_further_event(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        await here.create("epcr.encounter.created", url=receiver.url())
        await here.dispatch("cad_1")
        await here.story.turn()
        await here.apps.approve(here.story.home.operator, "app_north", ["webhooks:write"])
        await here.dispatch("cad_2")
        await here.story.turn()
        assert len(receiver.received) == 1


@pytest.mark.contract("A-013")
async def test_incident_event_above_the_clearance_of_a_webhook_is_not_delivered(database: Database):
    async with receiving() as receiver, webhook_surface(database, receiver) as here:
        await here.create(*INCIDENTS, "epcr.encounter.finished", url=receiver.url())
        made = await here.dispatch("cad_1")
        await here.story.turn()
        async with database.transaction() as tx:
            await tx.execute(encounters.update().where(encounters.c.id == made).values(secrecy_level=2))
        await here.missions.change(here.story.home.operator, made, MissionChange(status=DONE))
        await here.story.turn()
        assert heard(receiver) == {"cad_1": ["incident.created"]}
        assert await incidents(here) == [], "the incident is as secret as its encounter"


def heard(receiver: Receiver) -> dict[str, list[str]]:
    """Map each incident to the types of the events that the receiver got about it, in the order of arrival."""
    found: dict[str, list[str]] = {}
    for request in receiver.received:
        message = orjson.loads(request.body)
        found.setdefault(message["data"]["cad_incident_id"], []).append(message["type"])
    return found
