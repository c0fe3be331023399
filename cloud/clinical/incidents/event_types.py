"""Events of incidents. Keyed by incident, so that they are delivered in order (A-059)."""

from cloud.clinical.incidents.model import Change, IncidentStatus
from cloud.foundation.events import EventType, count, moment, text, word

INCIDENT_CREATED = "incident.created"
INCIDENT_UPDATED = "incident.updated"
INCIDENT_CLOSED = "incident.closed"

# An integration that mirrors a dispatch system's cases has no other scope than that of webhooks, and an incident has no
# patient data. Reading the encounter itself needs its own scope.
SCOPE = "webhooks:read"

_FIELDS = {
    "incident_id": text("The incident, inc_…."),
    "cad_incident_id": text("The dispatch system's id of the incident."),
    "status": word("Closed when its last encounter is finished.", list(IncidentStatus)),
    "change": word("Kind of the change.", list(Change)),
    "encounter_id": text("The encounter that caused the change, enc_…."),
    "encounters": count("Number of encounters."),
    "open_encounters": count("Number of unfinished encounters."),
    "opened_at": moment("Creation time of its first encounter."),
    "updated_at": moment("Time of the change."),
    "closed_at": moment("Closing time; null while it is open.", absent=True),
}
_OPENED, _LATER, _ENDED = "2026-03-23T11:20:00.000000Z", "2026-03-23T11:34:10.000000Z", "2026-03-23T12:05:42.000000Z"


def _sample(status: IncidentStatus, change: Change, at: str, *, encounters: int, still: int) -> dict[str, object]:
    return {
        "incident_id": "inc_123",
        "cad_incident_id": "cad_999",
        "status": status.value,
        "change": change.value,
        "encounter_id": "enc_123",
        "encounters": encounters,
        "open_encounters": still,
        "opened_at": _OPENED,
        "updated_at": at,
        "closed_at": at if status is IncidentStatus.CLOSED else None,
    }


EVENTS = (
    EventType(
        name=INCIDENT_CREATED,
        description="A dispatch system created the first encounter of an incident.",
        fields=_FIELDS,
        sample=_sample(IncidentStatus.OPEN, Change.OPENED, _OPENED, encounters=1, still=1),
        scope=SCOPE,
    ),
    EventType(
        name=INCIDENT_UPDATED,
        description="An encounter of the incident was added, changed or finished while others are open, or a closed "
        "incident was reopened.",
        fields=_FIELDS,
        sample=_sample(IncidentStatus.OPEN, Change.ENCOUNTER_ADDED, _LATER, encounters=2, still=2),
        scope=SCOPE,
    ),
    EventType(
        name=INCIDENT_CLOSED,
        description="The last encounter of the incident was finished.",
        fields=_FIELDS,
        sample=_sample(IncidentStatus.CLOSED, Change.ENCOUNTER_FINISHED, _ENDED, encounters=2, still=0),
        scope=SCOPE,
    ),
)
