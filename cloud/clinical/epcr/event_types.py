"""Events of encounters. Keyed by encounter, so that they are delivered in order (A-059)."""

from cloud.clinical.epcr.model import CareModel
from cloud.foundation.events import EventType, moment, text, truth, word, words
from protocols.epcr.encounter import EncounterStatus

ENCOUNTER_CREATED = "epcr.encounter.created"
ENCOUNTER_UPDATED = "epcr.encounter.updated"
ENCOUNTER_FINISHED = "epcr.encounter.finished"

SCOPE = "argus:epcr:read"

_FIELDS = {
    "encounter_id": text("The encounter, enc_…."),
    "incident_id": text("The incident, inc_…; null if no dispatch system created the encounter.", absent=True),
    "status": word("Status of the encounter.", list(EncounterStatus)),
    "care_model": word("Care model of the mission.", list(CareModel)),
    "vehicle_id": text("The assigned vehicle.", absent=True),
}
_SAMPLE = {
    "encounter_id": "enc_123",
    "incident_id": "inc_123",
    "status": EncounterStatus.IN_PROGRESS.value,
    "care_model": CareModel.PREHOSPITAL_EMERGENCY.value,
    "vehicle_id": "AMB-42",
}

EVENTS = (
    EventType(
        name=ENCOUNTER_CREATED,
        description="Encounter created.",
        fields={
            **_FIELDS,
            "from_cad": truth("Whether a dispatch system created it."),
            "created_at": moment("Creation time."),
        },
        sample={**_SAMPLE, "from_cad": True, "created_at": "2026-03-23T11:20:00.000000Z"},
        scope=SCOPE,
    ),
    EventType(
        name=ENCOUNTER_UPDATED,
        description="Vehicle, care model, crew or call data changed.",
        fields={**_FIELDS, "changed": words("The changed fields.", ["vehicle_id", "care_model", "crew_ids", "call"])},
        sample={**_SAMPLE, "changed": ["vehicle_id"]},
        scope=SCOPE,
    ),
    EventType(
        name=ENCOUNTER_FINISHED,
        description="Encounter completed, cancelled or handed over to another service.",
        fields={
            **_FIELDS,
            "finished_at": moment("End of the encounter."),
            "vehicle_status": text("The end that the vehicle's record stated then; null without one.", absent=True),
        },
        sample={
            **_SAMPLE,
            "status": EncounterStatus.COMPLETED.value,
            "finished_at": "2026-03-23T12:05:42.000000Z",
            "vehicle_status": EncounterStatus.COMPLETED.value,
        },
        scope=SCOPE,
    ),
)
