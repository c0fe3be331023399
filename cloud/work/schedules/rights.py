"""Check that an app may have a schedule: when it is made, and again at each of its times."""

from collections.abc import Collection

from cloud.access.apps import App, ClearanceExceeded, effective
from cloud.foundation.viewer import SecrecyLevel
from cloud.work.schedules import SCHEDULE
from cloud.work.schedules.errors import ScheduleNotEntitled, ScopesMissing

START = "argus:jobs:write"
"""Scope that an app needs to start a job over HTTP."""


def may_have_schedules(app: App) -> bool:
    """Return whether the operator has permitted schedules for an app, and its governance allows them."""
    return SCHEDULE in app.usable_scopes


def check_rights(app: App, needed: Collection[str], level: SecrecyLevel) -> None:
    """Check that an app may have schedules, and may start their jobs itself: `needed` are the scopes of the jobs, and
    `level` is their secrecy level. Raises `ScheduleNotEntitled`, `ScopesMissing`, `ClearanceExceeded`."""
    if not may_have_schedules(app):
        raise ScheduleNotEntitled
    granted = effective(app.usable_scopes)
    missing = [name for name in (START, *needed) if name not in granted]
    if missing:
        raise ScopesMissing(f"It is missing: {', '.join(missing)}.")
    if level > app.clearance:
        raise ClearanceExceeded
