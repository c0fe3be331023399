"""Incidents: opened by dispatched encounters, updated and closed by the state of those."""

from cloud.clinical.incidents.model import Change, Incident, IncidentStatus, Part
from cloud.clinical.incidents.service import Incidents

__all__ = ["Change", "Incident", "IncidentStatus", "Incidents", "Part"]
