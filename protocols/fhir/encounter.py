"""The encounter in FHIR."""

from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from protocols.epcr.element import Audience
from protocols.epcr.encounter import EncounterStatus
from protocols.epcr.projection import VisibleRecord
from protocols.fhir.care_values import coded
from protocols.fhir.datatypes import Json, coding, concept, entry, identifiers, meta, reference
from protocols.fhir.ids import ResourceIds
from protocols.fhir.systems import ACT_CODE, ENCOUNTER, ORGANIZATION
from protocols.observation_record import utc_text

_STATUSES: Final = MappingProxyType(
    {
        EncounterStatus.IN_PROGRESS: "in-progress",
        EncounterStatus.COMPLETED: "finished",
        EncounterStatus.CANCELLED: "cancelled",
        EncounterStatus.TRANSFERRED: "finished",
    }
)
"""Status in FHIR (contract A-101)."""
_FIELD, _EMERGENCY, _HOME = ("FLD", "field"), ("EMER", "emergency"), ("HH", "home health")
_CLASSES: Final = MappingProxyType(
    {
        "prehospital_emergency": _EMERGENCY,
        "interfacility_transfer": _FIELD,
        "community_paramedicine": _HOME,
        "event_medical": _FIELD,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class EncounterFacts:
    """Facts about an encounter. `tenant` is only the namespace of ids. `ended_us` is None for an unknown end."""

    tenant: str
    id: str
    organization_id: str
    care_model: str
    status: EncounterStatus
    began_us: int
    ended_us: int | None = None


def organization(facts: EncounterFacts) -> Json:
    """Return the reference to the organisation by its id. Hospitals have no resource for it, so none is created."""
    return {"type": "Organization", "identifier": {"system": ORGANIZATION, "value": facts.organization_id}}


class EncounterEntry:
    """The entry of an encounter. `id` follows from its id in this API."""

    def __init__(self, ids: ResourceIds, audience: Audience, facts: EncounterFacts) -> None:
        self.id = ids.id_of("encounter", facts.id)
        self._audience = audience
        self._facts = facts

    def entry(self, patient: str, record: VisibleRecord) -> Json:
        """Return the entry. The primary impression of the record is the reason of the encounter."""
        facts = self._facts
        code, display = _CLASSES.get(facts.care_model, _FIELD)
        period = {"start": utc_text(facts.began_us)}
        if facts.ended_us is not None and facts.ended_us >= facts.began_us:
            period["end"] = utc_text(facts.ended_us)
        reasons = [
            coded(field.element, statement.value)
            for field in record.fields
            if field.element.key == "situation.primary_impression"
            for statement in field.shown
            if statement.value is not None
        ]
        return entry(
            self.id,
            {
                "resourceType": "Encounter",
                "meta": meta(self._audience),
                "identifier": identifiers(self.id, {"system": ENCOUNTER, "value": facts.id}),
                "status": _STATUSES[facts.status],
                "class": coding(ACT_CODE, code, display),
                "type": [concept(text=facts.care_model.replace("_", " "))],
                "subject": reference("Patient", patient),
                "period": period,
                "reasonCode": reasons or None,
                "serviceProvider": organization(facts),
            },
        )
