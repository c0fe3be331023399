"""Routes of encounters."""

from cloud.clinical.epcr.bundle_response import FHIR_JSON
from cloud.clinical.epcr.handlers import EpcrHandlers
from cloud.clinical.epcr.schemas import EncounterBegun, EncounterPartnerSummary, EncounterToBegin, SummaryQuery
from cloud.foundation.http import Host, Parts, RateClass, Route, Scopes

EPCR_READ = Scopes.any_of("argus:epcr:read", "argus:epcr:write")
EPCR_WRITE = Scopes.any_of("argus:epcr:write")


def routes(parts: Parts) -> tuple[Route, ...]:
    h = EpcrHandlers(parts)
    return (_begin(h), _summary(h))


def _begin(h: EpcrHandlers) -> Route:
    return Route(
        method="POST",
        path="/api/v1/epcr/encounters",
        handler=h.begin,
        host=Host.API,
        scopes=EPCR_WRITE,
        needs_organization=True,
        idempotent=True,
        rate_class=RateClass.WRITE,
        body=EncounterToBegin,
        response=EncounterBegun,
        responses={
            201: "The new encounter. Location has its address.",
            200: "The existing encounter of the same incident and vehicle.",
            400: "The body is invalid. The organisation is that of the token and not part of the body.",
            422: "The vehicle or a crew member is not in this organisation.",
        },
        errors=(
            "cad_incident_malformed",
            "call_data_malformed",
            "crew_member_unknown",
            "vehicle_unknown",
            "encounter_taken",
        ),
        operation_id="beginEncounter",
        summary="Create an ePCR encounter",
        description="Creates an encounter in the caller's organisation, for dispatch systems. Repeating the "
        "request with the same incident and vehicle returns the existing encounter.",
        tag="ePCR",
        request_example={
            "care_model": "prehospital_emergency",
            "vehicle_id": "AMB-42",
            "crew_ids": ["usr_1"],
            "cad_incident_id": "cad_999",
        },
        response_example={"id": "enc_123", "status": "in_progress"},
    )


def _summary(h: EpcrHandlers) -> Route:
    return Route(
        method="GET",
        path="/api/v1/epcr/encounters/{encounterId}",
        handler=h.summary,
        host=Host.API,
        scopes=EPCR_READ,
        needs_organization=True,
        query=SummaryQuery,
        response=EncounterPartnerSummary,
        other_forms={FHIR_JSON: {"type": "object"}},
        responses={
            200: "The summary.",
            400: "Unknown format.",
            404: "Encounter not found.",
            422: "In FHIR: the care record is too large to be read at once.",
        },
        errors=(
            "encounter_unknown",
            "care_record_too_large",
            "fhir_bundle_invalid",
        ),
        operation_id="readEncounter",
        summary="Fetch an ePCR encounter",
        description="The encounter summary for partners: mission data only, no patient data. With `?format=fhir` "
        "or `Accept: application/fhir+json`, the de-identified FHIR R4 bundle, as `…/fhir-bundle` returns it.",
        tag="ePCR",
        response_example={
            "id": "enc_123",
            "organization_id": "org_1",
            "care_model": "prehospital_emergency",
            "status": "in_progress",
            "vehicle_id": "AMB-42",
            "crew_count": 1,
            "observation_count": 0,
            "created_at": "2026-03-24T10:00:00.000000Z",
            "evidence_id": "evd_01HFXY0000000000000000ABCD",
        },
    )
