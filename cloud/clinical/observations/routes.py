"""The address under which an application posts what a device measured."""

from cloud.clinical.observations.handlers import ObservationHandlers
from cloud.clinical.observations.schemas import AcceptedObservation, ObservationToPost
from cloud.foundation.http import Host, RateClass, Route, Scopes
from cloud.foundation.http.parts import Parts

_SAMPLE = {"mdc_code": "MDC_PULS_OXIM_SAT_O2", "value": 98.0, "unit_code": "%"}


def routes(parts: Parts) -> tuple[Route, ...]:
    h = ObservationHandlers(parts)
    return (
        Route(
            method="POST",
            path="/api/v1/devices/{deviceId}/observations",
            handler=h.post,
            host=Host.API,
            scopes=Scopes.any_of("argus:devices:write"),
            needs_organization=True,
            idempotent=True,
            rate_class=RateClass.WRITE,
            body=ObservationToPost,
            answer=AcceptedObservation,
            answers={
                201: "The observation is stored.",
                200: "The answer to an earlier request with the same Idempotency-Key.",
                400: "The body cannot be used; a value is a finite number.",
                404: "There is no such device.",
                409: "The device was retired.",
                422: "The code, the unit, the time or the encounter cannot be right.",
            },
            operation_id="postObservation",
            summary="Submit a PHD observation",
            description="One observation of an enrolled device: what was measured by its code in ISO/IEEE 11073-10101, "
            "the unit as UCUM writes it, and optionally when, and to which encounter it belongs. A well-formed code "
            "that we do not know is stored and flagged.",
            tag="Devices",
            request_example=_SAMPLE,
            answer_example={"id": "obs_1", "device_id": "dev_1", **_SAMPLE},
        ),
    )
