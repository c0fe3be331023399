"""Handlers of encounters."""

from cloud.clinical.epcr.arrivals import SETTLE_ENCOUNTER
from cloud.clinical.epcr.bundle_response import BUNDLE_RESPONSE, FHIR_JSON
from cloud.clinical.epcr.call_data import call_values
from cloud.clinical.epcr.evidence import ENCOUNTER_EVIDENCE, evidence_id_of_encounter
from cloud.clinical.epcr.mission_outbox import MISSION_OUTBOX
from cloud.clinical.epcr.model import Begun, Dispatch
from cloud.clinical.epcr.recent_counts import RecentCounts
from cloud.clinical.epcr.schemas import EncounterFormat, EncounterToBegin, SummaryQuery
from cloud.clinical.epcr.service import COUNT_OBSERVATIONS, Epcr
from cloud.foundation.http import Created, Json, Parts, Request, Response, prefers, strong_etag
from cloud.foundation.moments import write_moment


class EpcrHandlers:
    """Handlers of `POST /api/v1/epcr/encounters` and `GET /api/v1/epcr/encounters/{encounterId}`."""

    def __init__(self, parts: Parts) -> None:
        self._bases = parts.bases
        self._settle = parts.supplies[SETTLE_ENCOUNTER](parts)
        self._respond_with_bundle = parts.supplies[BUNDLE_RESPONSE](parts)
        counts = RecentCounts(parts.supplies[COUNT_OBSERVATIONS], parts.clock)
        evidence = parts.supplies[ENCOUNTER_EVIDENCE](parts)
        outbox = parts.supplies[MISSION_OUTBOX](parts)
        self._epcr = Epcr(parts.database, parts.clock, parts.ids, counts.count, evidence=evidence, outbox=outbox)

    async def begin(self, request: Request) -> Response:
        """Return 201 for a new encounter, 200 when its incident and vehicle were sent before (contract A-102)."""
        wanted, actor = request.body, request.actor
        assert isinstance(wanted, EncounterToBegin)
        assert actor.organization_id is not None, "the row needs an organisation"
        dispatch = Dispatch(
            organization_id=actor.organization_id,
            care_model=wanted.care_model,
            vehicle_id=wanted.vehicle_id,
            crew_ids=wanted.crew_ids,
            cad_incident_id=wanted.cad_incident_id,
            call=call_values(wanted.call),
        )

        def respond(begun: Begun) -> Response:
            document = {"id": begun.encounter.id, "status": begun.encounter.status}
            location = f"{self._bases[request.host]}{request.route.path}/{begun.encounter.id}"
            return Created(document, location=location) if begun.created else Json(document)

        return await self._epcr.dispatch_once(actor, dispatch, request.idempotent_reply, respond)

    async def summary(self, request: Request) -> Response:
        """Return the de-identified summary of an encounter: an allow-list of fields (contract A-098). A query or an
        Accept header that requests FHIR gets the bundle (contract A-099)."""
        query = request.query
        assert isinstance(query, SummaryQuery)
        fhir = prefers(request.headers.getall("Accept", ()), FHIR_JSON, "application/json")
        if query.format is EncounterFormat.FHIR or (query.format is None and fhir):
            return await self._respond_with_bundle(request)
        viewer, encounter_id = request.viewer, request.path["encounterId"]
        await self._settle(viewer, encounter_id, waveforms=False)
        found = await self._epcr.summary(viewer, encounter_id)
        encounter = found.encounter
        response = Json(
            {
                "id": encounter.id,
                "organization_id": encounter.organization_id,
                "care_model": encounter.care_model,
                "status": encounter.status,
                "vehicle_id": encounter.vehicle_id,
                "crew_count": found.crew_count,
                "observation_count": found.observation_count,
                "created_at": write_moment(encounter.created_at_us),
                "evidence_id": evidence_id_of_encounter(encounter),
            },
            headers={"Vary": "Accept"},
        )
        response.etag = strong_etag(response.body)
        return response
