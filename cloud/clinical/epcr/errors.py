"""What can be refused about encounters."""

from cloud.access.tenancy import VehicleUnknown
from cloud.foundation.errors import DomainError


class EncounterUnknown(DomainError):
    """There is no such encounter."""

    code = "encounter_unknown"
    status = 404


class EncounterVehicleUnknown(VehicleUnknown):
    """vehicle_id names no vehicle of this organisation."""

    status = 422  # it stands in the body: the address itself exists


class CrewMemberUnknown(DomainError):
    """crew_ids names somebody who is not in this organisation's crew register."""

    code = "crew_member_unknown"
    status = 422


class CadIncidentMalformed(DomainError):
    """cad_incident_id has 1 to 128 printable characters."""

    code = "cad_incident_malformed"
    status = 422


class EncounterTaken(DomainError):
    """An encounter with this id exists already; nothing was changed."""

    code = "encounter_taken"
    status = 409


class EncounterFinished(DomainError):
    """This encounter is finished; neither its mission nor its end can change any more."""

    code = "encounter_finished"
    status = 409
