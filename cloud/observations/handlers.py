"""The request that posts an observation. On the hot path: the answer is written as it stands, without a model."""

from cloud.http import Answer, Json, Request
from cloud.http.parts import Parts
from cloud.moments import read_moment, write_moment
from cloud.observations.posting import ObservationDesk
from cloud.observations.schemas import ObservationToPost


class ObservationHandlers:
    """`POST /api/v1/devices/{deviceId}/observations`."""

    def __init__(self, parts: Parts) -> None:
        self._database = parts.database
        self._audit = parts.audit
        self._desk = ObservationDesk(parts.database, parts.clock, parts.ids)

    async def post(self, request: Request) -> Answer:
        """201 when it is durable. A repetition with the same Idempotency-Key gets the first answer."""
        body, viewer = request.body, request.viewer
        assert isinstance(body, ObservationToPost)
        observed_at_us = None if body.observed_at is None else read_moment(body.observed_at)
        async with self._database.transaction() as tx:
            replay = await request.once.recall(tx)
            if replay is not None:
                return replay
            posted = await self._desk.post_in(
                tx,
                viewer,
                request.path["deviceId"],
                mdc_code=body.mdc_code,
                value=body.value,
                unit_code=body.unit_code,
                observed_at_us=observed_at_us,
                encounter_id=body.encounter_id,
            )
            await self._audit.record(tx, request.verified, "observation.post", posted.id, trace=request.trace)
            answer = Json(
                {
                    "id": posted.id,
                    "device_id": posted.device_id,
                    "mdc_code": body.mdc_code,
                    "value": posted.value,
                    "unit_code": body.unit_code,
                    "observed_at": write_moment(posted.observed_at_us),
                    "encounter_id": posted.encounter_id,
                    "flags": posted.measured.flags,
                },
                status=201,
            )
            return await request.once.keep(tx, answer)
