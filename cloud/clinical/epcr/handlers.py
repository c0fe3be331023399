"""Requests about encounters."""

from cloud.access.audit import Audit
from cloud.clinical.epcr.schemas import EncounterToBegin
from cloud.clinical.epcr.service import COUNT_OBSERVATIONS, Epcr
from cloud.foundation.http import Answer, Created, Json, Parts, Request, strong_etag
from cloud.foundation.moments import write_moment


class EpcrHandlers:
    """`POST /api/v1/epcr/encounters` and `GET /api/v1/epcr/encounters/{encounterId}`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._audit = Audit(parts.clock)
        self._bases = parts.bases
        self._epcr = Epcr(parts.database, parts.clock, parts.ids, parts.supplies[COUNT_OBSERVATIONS])

    async def begin(self, request: Request) -> Answer:
        """201 and where it is; 200 when the same incident and vehicle had been sent before (A-102)."""
        wanted, viewer = request.body, request.viewer
        assert isinstance(wanted, EncounterToBegin)
        assert viewer.organization_id is not None, "the row needs an organisation"
        async with self._database.transaction() as tx:
            replay = await request.idempotent_reply.replay(tx)
            if replay is not None:
                return replay
            begun = await self._epcr.dispatch_in(
                tx,
                viewer,
                organization_id=viewer.organization_id,
                care_model=wanted.care_model,
                vehicle_id=wanted.vehicle_id,
                crew_ids=wanted.crew_ids,
                cad_incident_id=wanted.cad_incident_id,
                traceparent=request.trace.traceparent,
            )
            encounter = begun.encounter
            told = {"created": begun.created}
            await self._audit.record(
                tx, request.verified, "encounter.begin", encounter.id, trace=request.trace, metadata=told
            )
            document = {"id": encounter.id, "status": encounter.status}
            location = f"{self._bases[request.host]}{request.route.path}/{encounter.id}"
            answer = Created(document, location=location) if begun.created else Json(document)
            return await request.idempotent_reply.store(tx, answer)

    async def summary(self, request: Request) -> Answer:
        """The de-identified summary: named fields only, whatever an encounter will hold (A-098)."""
        found = await self._epcr.summary(request.viewer, request.path["encounterId"])
        encounter = found.encounter
        answer = Json(
            {
                "id": encounter.id,
                "organization_id": encounter.organization_id,
                "care_model": encounter.care_model,
                "status": encounter.status,
                "vehicle_id": encounter.vehicle_id,
                "crew_count": found.crew_count,
                "observation_count": found.observation_count,
                "created_at": write_moment(encounter.created_at_us),
            }
        )
        answer.etag = strong_etag(answer.body)
        return answer
