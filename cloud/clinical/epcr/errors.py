"""Errors about encounters."""

from cloud.foundation.errors import DomainError


class EncounterUnknown(DomainError, code="encounter_unknown", status=404):
    """Encounter not found."""


class EncounterVehicleUnknown(DomainError, code="vehicle_unknown", status=422):
    """The vehicle is not in this organisation."""


class CrewMemberUnknown(DomainError, code="crew_member_unknown", status=422):
    """A crew id is not in the organisation's crew register. The operator adds crew members with `argus-cloud crew
    add`."""


class CadIncidentMalformed(DomainError, code="cad_incident_malformed", status=422):
    """cad_incident_id has 1 to 128 printable characters."""


class CallDataMalformed(DomainError, code="call_data_malformed", status=422):
    """A value of the call data does not fit its field."""


class EncounterTaken(DomainError, code="encounter_taken", status=409):
    """An encounter with this id exists. Nothing was changed."""


class CareRecordTooLarge(DomainError, code="care_record_too_large", status=422):
    """The care record has more than 50,000 field changes, and cannot be read at once."""


class EncounterFinished(DomainError, code="encounter_finished", status=409):
    """The encounter has ended and keeps its status and mission. Read it to see how it ended; later facts are addenda of
    its care record."""


class EndTimeMisplaced(DomainError, code="end_time_misplaced", status=422):
    """ended_at belongs to a change that ends the encounter. It is at most 30 days ago and at most 5 minutes ahead."""
