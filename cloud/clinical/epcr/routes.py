"""The addresses of encounters."""

from cloud.clinical.epcr.handlers import EpcrHandlers
from cloud.clinical.epcr.schemas import EncounterBegun, EncounterPartnerSummary, EncounterToBegin
from cloud.clinical.epcr.service import CountObservations
from cloud.foundation.http import Host, RateClass, Route, Scopes
from cloud.foundation.http.parts import Parts

EPCR_READ = Scopes.any_of("argus:epcr:read", "argus:epcr:write")
EPCR_WRITE = Scopes.any_of("argus:epcr:write")


def routes(parts: Parts, count_observations: CountObservations) -> tuple[Route, ...]:
    """`count_observations` comes from `clinical.observations`, which knows encounters and is not known here."""
    h = EpcrHandlers(parts, count_observations)
    return (
        Route(
            method="POST",
            path="/api/v1/epcr/encounters",
            handler=h.begin,
            host=Host.API,
            scopes=EPCR_WRITE,
            needs_organization=True,
            idempotent=True,
            rate_class=RateClass.WRITE,
            body=EncounterToBegin,
            answer=EncounterBegun,
            answers={
                201: "The encounter is begun; Location says where it is.",
                200: "The same incident and vehicle had been sent before: that encounter.",
                400: "The body cannot be used. The organisation is never in it: it is that of the token.",
                422: "The vehicle or somebody of the crew is none of this organisation.",
            },
            operation_id="beginEncounter",
            summary="Create an ePCR encounter",
            description="A dispatch system begins an encounter in the caller's organisation. Sending the same incident "
            "and vehicle again is safe: the answer is the encounter that is there.",
            tag="ePCR",
            request_example={
                "care_model": "prehospital_emergency",
                "vehicle_id": "AMB-42",
                "crew_ids": ["usr_1"],
                "cad_incident_id": "cad_999",
            },
            answer_example={"id": "enc_123", "status": "in_progress"},
        ),
        Route(
            method="GET",
            path="/api/v1/epcr/encounters/{encounterId}",
            handler=h.summary,
            host=Host.API,
            scopes=EPCR_READ,
            needs_organization=True,
            answer=EncounterPartnerSummary,
            answers={200: "The summary.", 404: "There is no such encounter."},
            operation_id="readEncounter",
            summary="Fetch an ePCR encounter",
            description="The summary that partners may read. It tells of the mission, not of the patient.",
            tag="ePCR",
            answer_example={
                "id": "enc_123",
                "organization_id": "org_1",
                "care_model": "prehospital_emergency",
                "status": "in_progress",
            },
        ),
    )
