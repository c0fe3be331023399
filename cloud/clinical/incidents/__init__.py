"""Incidents: opened, updated and closed by their encounters."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.clinical.incidents.model import Incident, Part
    from cloud.clinical.incidents.service import Incidents
else:
    __getattr__ = lazy_exports(__name__)

SLICE = Slice(package=__name__, events="event_types:EVENTS", tables="tables", commands={"incidents": "cli:incidents"})
