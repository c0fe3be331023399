"""Errors about encounters."""

from cloud.foundation.errors import DomainError, PrivateError


class EncounterUnknown(DomainError):
    """Encounter not found."""

    code = "encounter_unknown"
    status = 404


class EncounterVehicleUnknown(DomainError):
    """The vehicle is not in this organisation."""

    code = "vehicle_unknown"
    status = 422


class CrewMemberUnknown(DomainError):
    """A crew id is not in the organisation's crew register. The operator adds crew members with `argus-cloud crew
    add`."""

    code = "crew_member_unknown"
    status = 422


class CadIncidentMalformed(DomainError):
    """cad_incident_id has 1 to 128 printable characters."""

    code = "cad_incident_malformed"
    status = 422


class EncounterTaken(DomainError):
    """An encounter with this id exists. Nothing was changed."""

    code = "encounter_taken"
    status = 409


class EncounterFinished(PrivateError):
    """The encounter is finished and cannot be changed."""

    code = "encounter_finished"
    status = 409
