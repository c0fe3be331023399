"""The request that posts an observation. On the hot path: the response is written without a model."""

from cloud.access.audit import Audit
from cloud.clinical.observations.posted import PostedObservation
from cloud.clinical.observations.posting import ObservationDesk
from cloud.clinical.observations.posting_group import AUDIT_ACTION, PostingGroup
from cloud.clinical.observations.schemas import ObservationToPost
from cloud.foundation.http import Answer, Json, Parts, Request
from cloud.foundation.moments import read_moment, write_moment


class ObservationHandlers:
    """`POST /api/v1/devices/{deviceId}/observations`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._audit = Audit(parts.clock)
        self._desk = ObservationDesk(parts.database, parts.clock, parts.ids)
        self._group = PostingGroup(parts.database, self._desk, self._audit)

    async def post(self, request: Request) -> Answer:
        """201 when it is durable. A repetition with the same Idempotency-Key gets the first answer."""
        body = request.body
        assert isinstance(body, ObservationToPost)
        draft = self._desk.draft(
            request.path["deviceId"],
            mdc_code=body.mdc_code,
            value=body.value,
            unit_code=body.unit_code,
            observed_at_us=None if body.observed_at is None else read_moment(body.observed_at),
            encounter_id=body.encounter_id,
        )
        if request.idempotent_reply.key is None:
            place = self._desk.as_remembered(request.viewer, draft)
            if place is not None and await self._group.post(place, request.verified, request.trace):
                return accepted(draft)
        return await self._alone(request, draft)

    async def _alone(self, request: Request, draft: PostedObservation) -> Answer:
        """In a transaction of its own: with a key, of a device that is new to this process, or with a mistake."""
        async with self._database.transaction() as tx:
            replay = await request.idempotent_reply.replay(tx)
            if replay is not None:
                return replay
            posted = await self._desk.post_in(tx, request.viewer, draft)
            await self._audit.record(tx, request.verified, AUDIT_ACTION, posted.id, trace=request.trace)
            return await request.idempotent_reply.store(tx, accepted(posted))


def accepted(posted: PostedObservation) -> Answer:
    """The response to a stored observation."""
    document = {
        "id": posted.id,
        "device_id": posted.device_id,
        "mdc_code": posted.measured.mdc_code,
        "value": posted.value,
        "unit_code": posted.measured.unit_code,
        "observed_at": write_moment(posted.observed_at_us),
        "encounter_id": posted.encounter_id,
        "flags": posted.measured.flags_of(posted.value),
    }
    if posted.measured.did_you_mean is not None:
        document["did_you_mean"] = posted.measured.did_you_mean
    return Json(document, status=201)
