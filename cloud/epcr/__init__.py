"""Encounters."""

from cloud.epcr.errors import EncounterTaken, EncounterUnknown
from cloud.epcr.model import CareModel, Encounter, EncounterStatus
from cloud.epcr.service import Epcr
from cloud.epcr.store import Encounters

__all__ = [
    "CareModel",
    "Encounter",
    "EncounterStatus",
    "EncounterTaken",
    "EncounterUnknown",
    "Encounters",
    "Epcr",
]
