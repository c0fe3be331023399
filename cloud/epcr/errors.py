"""What can be refused about encounters."""

from cloud.errors import DomainError


class EncounterUnknown(DomainError):
    """There is no such encounter."""

    code = "encounter_unknown"
    status = 404


class EncounterTaken(DomainError):
    """An encounter with this id exists already; nothing was changed."""

    code = "encounter_taken"
    status = 409
