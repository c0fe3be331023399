"""Route of FHIR bundles."""

from cloud.clinical.epcr import IDENTIFIED
from cloud.clinical.fhir.handlers import BUNDLE_PATH, HANDOVER_PATH, FhirHandlers
from cloud.clinical.fhir.schemas import BundleQuery, FhirBundle, HandoverQuery
from cloud.foundation.http import Host, Parts, Route, Scopes
from protocols.fhir.systems import IDENTIFIER, PHD_PROFILE

_LABELLED = {
    "security": [
        {
            "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
            "code": "PSEUDED",
            "display": "pseudonymized",
        }
    ]
}
_ID = "6de9806a-28f1-590e-8695-aa59f361b02f"
_EXAMPLE = {
    "resourceType": "Bundle",
    "meta": _LABELLED,
    "type": "transaction",
    "entry": [
        {
            "fullUrl": f"urn:uuid:{_ID}",
            "resource": {
                "resourceType": "Patient",
                "meta": {"profile": [f"{PHD_PROFILE}PhdPatient"], **_LABELLED},
                "identifier": [{"system": IDENTIFIER, "value": _ID}],
            },
            "request": {"method": "POST", "url": "Patient", "ifNoneExist": f"identifier={IDENTIFIER}|{_ID}"},
        }
    ],
}
"""A bundle, with the first of its entries."""


def routes(parts: Parts) -> tuple[Route, ...]:
    h = parts.shared(FhirHandlers.of)
    return (
        Route(
            method="GET",
            path=BUNDLE_PATH,
            handler=h.bundle,
            host=Host.API,
            scopes=Scopes.any_of("argus:epcr:read", "argus:epcr:write"),
            needs_organization=True,
            query=BundleQuery,
            response=FhirBundle,
            response_media_type="application/fhir+json",
            responses={
                200: "The transaction bundle, or a part of it.",
                400: "The query is invalid, or `cursor` is not from a link of this bundle.",
                404: "Encounter not found.",
                422: "The care record has too many field changes to be read at once.",
            },
            errors=(
                "encounter_unknown",
                "care_record_too_large",
                "fhir_bundle_invalid",
            ),
            operation_id="readEncounterBundle",
            summary="Export encounter as FHIR R4 Bundle",
            description="The encounter as a FHIR R4 transaction bundle: Patient (a pseudonym), Encounter, Composition, "
            "Observation, Device, DeviceMetric, Procedure and MedicationAdministration. Post it unchanged to a FHIR "
            "server; each entry is created only if its identifier does not exist there. A bundle of more than 5000 "
            "entries has a link `next` to its next part, which is a bundle of its own.",
            tag="ePCR",
            response_example=_EXAMPLE,
        ),
        Route(
            method="GET",
            path=HANDOVER_PATH,
            handler=h.handover,
            host=Host.API,
            scopes=Scopes.any_of(IDENTIFIED),
            needs_organization=True,
            concealed=True,
            in_contract=False,
            query=HandoverQuery,
            response=FhirBundle,
            response_media_type="application/fhir+json",
            responses={
                200: "The transaction bundle with the identity of the patient, or a part of it.",
                400: "The purpose of use is missing or is not permitted, or `part` is not from a link of this bundle.",
                404: "Encounter not found.",
                422: "The care record has too many field changes to be read at once.",
            },
            operation_id="readIdentifiedBundle",
            summary="Hand an encounter over to the treating hospital",
            description="The FHIR R4 transaction bundle with the name, birth date, address and free texts of the "
            "record. The audit trail records each reading with its purpose of use.",
            tag="ePCR",
        ),
    )
