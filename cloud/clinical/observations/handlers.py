"""The handler that posts an observation. It is on the hot path, so it writes the response without a pydantic model."""

from cloud.clinical.observations.posted import PostedObservation
from cloud.clinical.observations.schemas import ObservationToPost
from cloud.clinical.observations.service import ObservationService
from cloud.foundation.http import Json, Parts, Request, Response
from cloud.foundation.moments import read_moment, write_moment


class ObservationHandlers:
    """Handler of `POST /api/v1/devices/{deviceId}/observations`."""

    def __init__(self, parts: Parts) -> None:
        self._service = ObservationService(parts.database, parts.clock, parts.ids)

    async def post(self, request: Request) -> Response:
        """Return 201 when the observation is durable. A repeated Idempotency-Key gets the first response."""
        body = request.body
        assert isinstance(body, ObservationToPost)
        draft = self._service.draft(
            request.path["deviceId"],
            mdc_code=body.mdc_code,
            value=body.value,
            unit_code=body.unit_code,
            observed_at_us=None if body.observed_at is None else read_moment(body.observed_at),
            encounter_id=body.encounter_id,
        )
        if request.idempotent_reply.key is None:
            return accepted(await self._service.post(request.actor, draft))
        return await self._service.post_once(request.actor, draft, request.idempotent_reply, accepted)


def accepted(posted: PostedObservation) -> Response:
    """Return the 201 response for a stored observation."""
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
