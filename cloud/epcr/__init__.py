"""Encounters."""

from cloud.epcr.crew import CrewRegister
from cloud.epcr.errors import CrewMemberUnknown, EncounterTaken, EncounterUnknown, EncounterVehicleUnknown
from cloud.epcr.model import Begun, CareModel, CrewMember, CrewRole, Encounter, EncounterStatus, EncounterSummary
from cloud.epcr.service import Epcr
from cloud.epcr.store import Encounters

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
