"""Incidents, which are opened, updated and closed by changes of their encounters."""

# mypy: implicit-reexport
from cloud.clinical.incidents.model import Incident, Part
from cloud.clinical.incidents.service import Incidents
from cloud.foundation.slice import Slice

SLICE = Slice(package=__name__, events="event_types:EVENTS", tables="tables", commands={"incidents": "cli:incidents"})
