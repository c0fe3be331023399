"""Routes of the mission of an encounter, for dispatch systems. They extend the contract (docs/deviations.md).

The mission has an address of its own, because its entity tag must change with the mission only: the summary of an
encounter changes with each observation, so a dispatch system would lose every race against the monitors.
"""

from typing import Any

from cloud.clinical.epcr.call_data import call_values
from cloud.clinical.epcr.evidence import ENCOUNTER_EVIDENCE
from cloud.clinical.epcr.mission import Missions
from cloud.clinical.epcr.mission_outbox import MISSION_OUTBOX
from cloud.clinical.epcr.mission_schemas import MissionPatch, MissionShown
from cloud.clinical.epcr.model import Mission, MissionChange
from cloud.clinical.epcr.routes import EPCR_READ, EPCR_WRITE
from cloud.foundation.http import Host, Json, Parts, RateClass, Request, Response, Route, strong_etag
from cloud.foundation.moments import read_moment, write_moment

PATH = "/api/v1/epcr/encounters/{encounterId}/mission"
_SAMPLE = {
    "id": "enc_123",
    "version": 2,
    "status": "completed",
    "vehicle_status": "completed",
    "ended_at": "2026-03-24T11:02:30.000000Z",
    "vehicle_id": "AMB-42",
    "care_model": "prehospital_emergency",
    "crew_count": 1,
    "created_at": "2026-03-24T10:00:00.000000Z",
}


class MissionHandlers:
    """Handlers of the mission routes."""

    def __init__(self, parts: Parts) -> None:
        evidence = parts.supplies[ENCOUNTER_EVIDENCE](parts)
        outbox = parts.supplies[MISSION_OUTBOX](parts)
        self._missions = Missions(parts.database, parts.clock, parts.ids, evidence, outbox)

    async def read(self, request: Request) -> Response:
        return respond(await self._missions.read(request.viewer, request.path["encounterId"]))

    async def change(self, request: Request) -> Response:
        wanted = request.body
        assert isinstance(wanted, MissionPatch)
        change = MissionChange(
            status=wanted.status,
            ended_at_us=None if wanted.ended_at is None else read_moment(wanted.ended_at),
            vehicle_id=wanted.vehicle_id,
            care_model=wanted.care_model,
            crew_ids=wanted.crew_ids,
            call=call_values(wanted.call),
        )
        return await self._missions.change_once(
            request.actor,
            request.path["encounterId"],
            change,
            request.idempotent_reply,
            respond,
            precondition=lambda mission: request.require_match(strong_etag(Json(shown(mission)).body)),
        )


def respond(mission: Mission) -> Response:
    """Return a mission with its entity tag."""
    response = Json(shown(mission))
    response.etag = strong_etag(response.body)
    return response


def shown(mission: Mission) -> dict[str, Any]:
    """Return the JSON fields of a mission. The crew is a number, since its ids are those of staff (contract A-098)."""
    encounter = mission.encounter
    return {
        "id": encounter.id,
        "version": encounter.version,
        "status": encounter.status,
        "vehicle_status": mission.vehicle_status,
        "ended_at": write_moment(encounter.ended_at_us),
        "vehicle_id": encounter.vehicle_id,
        "care_model": encounter.care_model,
        "crew_count": mission.crew_count,
        "created_at": write_moment(encounter.created_at_us),
    }


def routes(parts: Parts) -> tuple[Route, ...]:
    h = MissionHandlers(parts)
    return (
        Route(
            method="GET",
            path=PATH,
            handler=h.read,
            host=Host.API,
            scopes=EPCR_READ,
            needs_organization=True,
            in_contract=False,
            response=MissionShown,
            responses={200: "The mission.", 404: "Encounter not found."},
            operation_id="readMission",
            summary="Fetch the mission of an encounter",
            description="Vehicle, crew, care model, status and end, with an entity tag for a change.",
            tag="ePCR",
            response_example=_SAMPLE,
        ),
        Route(
            method="PATCH",
            path=PATH,
            handler=h.change,
            host=Host.API,
            scopes=EPCR_WRITE,
            needs_organization=True,
            in_contract=False,
            idempotent=True,
            rate_class=RateClass.WRITE,
            body=MissionPatch,
            response=MissionShown,
            responses={
                200: "The mission after the change, also if it was made before.",
                400: "The body is invalid.",
                404: "Encounter not found.",
                409: "The encounter has ended, or the vehicle has one of this incident already.",
                412: "The mission has changed since the version in If-Match.",
                422: "The vehicle or a crew member is not in this organisation, or the end is out of range.",
            },
            operation_id="changeMission",
            summary="Change or end an encounter",
            description="Changes the fields that are sent. The first end stands: repeating it returns the mission, "
            "and a different one is refused. The vehicle's record does not change the mission.",
            tag="ePCR",
            request_example={"vehicle_id": "AMB-42", "crew_ids": ["usr_1"]},
            response_example=_SAMPLE | {"status": "in_progress", "vehicle_status": None, "ended_at": None},
        ),
    )
