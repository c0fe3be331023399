"""Schedules and their runs."""

from dataclasses import dataclass, field
from enum import StrEnum

from cloud.foundation.viewer import SecrecyLevel

START_DELAY_US = 60_000_000
"""Time from a time of the schedule to its job. A window without a delay ends at the time of the schedule, and an
encounter that was created just before it is committed by then: a transaction waits 10 s for a connection and takes 30 s
at most. The rest is for clocks of processes that differ."""
HOUR_US = 3_600_000_000
DELAY_HOURS = 24
"""The delay of windows if none is requested. A window has the encounters that were created in it, with their data up to
the job, so the data must be complete by then: a mission takes hours, and so may the time of a vehicle without a
network."""
DELAY_HOURS_MAX = 720
"""Longest delay of windows. Hardly any data of an encounter arrive after a month."""
REQUESTED = "requested"
"""The reason of a pause that a person has requested. Any other reason is the code of an error."""


class Window(StrEnum):
    """The time range of the job of a run. `since_last`: from the end of the last exported range to the time of the run,
    less the delay. `none`: that of the payload, the same in each run."""

    SINCE_LAST = "since_last"
    NONE = "none"


class Outcome(StrEnum):
    """The outcome of a time of a schedule: a job was started, or none, since the job before has not ended."""

    STARTED = "started"
    BUSY = "busy"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSchedule:
    """A requested schedule. `payload` is the payload of its jobs as JSON. Windows end `delay_hours` before the time of
    the run; None: `DELAY_HOURS` with windows. `since_us` is the begin of the first window; None: now, less the delay.
    `id`: for a form that may be sent twice; None: generate one."""

    id: str | None = None
    client_id: str
    name: str
    kind: str
    payload: dict[str, object] = field(repr=False)
    cron: str
    time_zone: str
    window: Window = Window.SINCE_LAST
    delay_hours: int | None = None
    since_us: int | None = None
    secrecy_level: str = "standard"
    callback_url: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """A schedule. `since_us` is the time up to which everything is exported, and `until_us` the end of the window of
    the last job, `job_id`: when that job has succeeded, everything up to `until_us` is exported too. Both are None
    without windows. A window ends `delay_us` before the time of its run. `next_at_us` is the next time of the schedule.
    `due_at_us` is the time at which the next job is started, None during a pause. `failures` is the number of jobs in a
    row that failed before the job `job_id`."""

    id: str
    tenant_id: str
    organization_id: str | None
    client_id: str
    name: str
    kind: str
    payload: str = field(repr=False)
    secrecy_level: SecrecyLevel
    callback_url: str | None = field(repr=False)
    cron: str
    time_zone: str
    delay_us: int
    since_us: int | None
    until_us: int | None = None
    job_id: str | None = None
    failures: int = 0
    next_at_us: int
    due_at_us: int | None
    paused_at_us: int | None = None
    pause_reason: str | None = None
    created_at_us: int
    updated_at_us: int


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedSchedule:
    """A schedule before whose last job `job_id` some jobs in a row failed (`failures`). A report needs no more columns,
    and so does not depend on values of others that only a newer release can read."""

    id: str
    tenant_id: str
    name: str
    job_id: str | None
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The outcome of a time of a schedule. `missed` is the number of times before it for which no job was started,
    since no worker ran. `job_id`, `since_us` and `until_us` are None if no job was started, the latter two also without
    a window."""

    schedule_id: str
    at_us: int
    tenant_id: str
    outcome: Outcome
    job_id: str | None = None
    since_us: int | None = None
    until_us: int | None = None
    missed: int
    recorded_at_us: int
