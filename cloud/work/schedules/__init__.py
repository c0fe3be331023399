"""Schedules: jobs that the service starts for an app at the times of a cron expression."""

from typing import TYPE_CHECKING

from cloud.foundation.slice import IdKind, Scope, Slice, lazy_exports

# mypy: implicit-reexport
if TYPE_CHECKING:
    from cloud.work.schedules.findings import schedule_findings
    from cloud.work.schedules.model import DELAY_HOURS, DELAY_HOURS_MAX, HOUR_US, NewSchedule, Run, Schedule, Window
    from cloud.work.schedules.rights import may_have_schedules
    from cloud.work.schedules.service import schedules_of
else:
    __getattr__ = lazy_exports(__name__)

SCHEDULE = "argus:jobs:schedule"
"""Scope of the apps that may have schedules. Only entitled tenants have it."""

SLICE = Slice(
    package=__name__,
    scopes=(
        Scope(
            SCHEDULE,
            "Have jobs started at the times of a schedule",
            "Uruchamianie zadań o godzinach określonych w harmonogramie",
            entitled=True,
        ),
    ),
    tables="tables",
    jobs="jobs:jobs",
    ids={"schedule": IdKind("schedule", "job_schedules")},
    # The group `jobs` has the commands of `cloud.work.jobs` and those of this slice.
    commands={"jobs": "cli:jobs"},
)
