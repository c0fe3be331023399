"""Incidents, which are opened, updated and closed by changes of their encounters."""

# mypy: implicit-reexport
from cloud.clinical.incidents.model import Incident, Part
from cloud.clinical.incidents.service import Incidents
from cloud.clinical.incidents.tables import incidents
from cloud.foundation.slice import IdKind, Slice

SLICE = Slice(
    package=__name__,
    ids={"incident": IdKind("incident", "incidents")},
    events="event_types:EVENTS",
    tables="tables",
    commands={"incidents": "cli:incidents"},
)
