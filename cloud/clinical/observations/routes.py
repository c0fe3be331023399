"""Route for observations that an application posts."""

from cloud.clinical.observations.handlers import ObservationHandlers
from cloud.clinical.observations.schemas import AcceptedObservation, ObservationToPost
from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes

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
            response=AcceptedObservation,
            responses={
                201: "The observation is stored.",
                200: "The response to an earlier request with the same Idempotency-Key.",
                400: "The body is invalid. A value is a finite number.",
                404: "Device not found.",
                409: "The device is retired.",
                422: "The code, unit, time or encounter is invalid.",
            },
            errors=(
                "value_not_finite",
                "moment_malformed",
                "device_unknown",
                "device_not_active",
                "mdc_code_malformed",
                "mdc_code_not_measured",
                "unit_code_malformed",
                "unit_code_mismatch",
                "device_class_mismatch",
                "observed_at_out_of_range",
                "encounter_not_linkable",
            ),
            operation_id="postObservation",
            summary="Submit a PHD observation",
            description="Stores one observation of an enrolled device: the ISO/IEEE 11073-10101 code, the value, the "
            "UCUM unit, and optionally the time and the encounter. A well-formed code that the nomenclature lacks and "
            "a value beyond physiological bounds are stored and flagged.",
            tag="Devices",
            request_example=_SAMPLE,
            response_example={
                "id": "obs_1",
                "device_id": "dev_1",
                **_SAMPLE,
                "observed_at": "2026-03-24T10:00:00.000000Z",
                "encounter_id": None,
                "flags": [],
            },
        ),
    )
