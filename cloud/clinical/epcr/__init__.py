"""Encounters."""

from cloud.clinical.epcr.crew import CrewRegister
from cloud.clinical.epcr.errors import CrewMemberUnknown, EncounterTaken, EncounterUnknown, EncounterVehicleUnknown
from cloud.clinical.epcr.model import (
    Begun,
    CareModel,
    CrewMember,
    CrewRole,
    Encounter,
    EncounterStatus,
    EncounterSummary,
)
from cloud.clinical.epcr.service import Epcr
from cloud.clinical.epcr.store import Encounters

__all__ = [
    "Begun",
    "CareModel",
    "CrewMember",
    "CrewMemberUnknown",
    "CrewRegister",
    "CrewRole",
    "Encounter",
    "EncounterStatus",
    "EncounterSummary",
    "EncounterTaken",
    "EncounterUnknown",
    "EncounterVehicleUnknown",
    "Encounters",
    "Epcr",
]
