"""Start the jobs of schedules that are due.

The lock of a schedule, its job, the record of the run and the next time are one transaction. So each time of a schedule
starts one job at most, however many workers run and whenever they are killed: the time of a killed worker is still due.

A window ends some hours before the time of its job (`delay_us`), so that the data of its encounters have arrived.
Successive windows neither overlap nor leave a gap. A window begins where the last successful job ended, so it also has
what a failed or cancelled job, a pause or an outage has left out. To know that, a run waits for the job before it: if
that has not ended, the time is skipped. After an outage, only the latest missed time starts a job; the others are
counted.
"""

from dataclasses import replace

import orjson
import structlog

from cloud.access.apps import ENTITLED, App, AppStore, ClearanceExceeded
from cloud.access.audit import Audit
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.http import BodyMalformed
from cloud.foundation.viewer import Actor, Viewer
from cloud.work.jobs import Job, JobService, JobStatus, JobStore, read_wanted
from cloud.work.schedules.errors import AppRemoved, ScheduleNotEntitled, ScopesMissing, WindowMalformed
from cloud.work.schedules.failing import count_failed
from cloud.work.schedules.model import START_DELAY_US, Outcome, Run, Schedule
from cloud.work.schedules.rights import check_rights
from cloud.work.schedules.store import ScheduleStore
from cloud.work.schedules.timetable import Passed, Timetable
from cloud.work.schedules.windows import first_time, with_window

DELAY_US = 60_000_000
"""Time after which a run is tried again whose job could not be started, as when the tenant's queue of jobs is full."""
PAUSING = frozenset(
    {
        *(AppRemoved.code, ScheduleNotEntitled.code, ScopesMissing.code, ClearanceExceeded.code),
        *(WindowMalformed.code, BodyMalformed.code),
        # Errors of webhooks, which this package must not import.
        *("webhook_host_not_allowed", "too_many_callback_addresses"),
    }
)
"""The codes of the errors that pause a schedule: those that a person must correct. Any other error may pass by itself,
such as an error of the database, or of a worker of an older release during an upgrade."""

log = structlog.get_logger()


class ScheduleStarter:
    """Starts the jobs of due schedules, one schedule in each transaction."""

    def __init__(self, clock: Clock, jobs: JobService) -> None:
        self._jobs = jobs
        self._store = ScheduleStore()
        self._apps = AppStore()
        self._job_store = JobStore()
        self._audit = Audit(clock)

    async def start_next(self, tx: Transaction, now_us: int) -> int:
        """Handle the schedule that has been due longest; return 1, or 0 if none is due. A schedule whose job is refused
        is paused, with the code of the error. After any other error it is delayed, so that it does not hold back the
        schedules that are due after it."""
        schedule = await self._store.lock_due(tx, now_us)
        if schedule is None:
            return 0
        try:
            async with tx.savepoint():
                await self._run(tx, schedule, now_us)
        except DomainError as error:
            if error.code in PAUSING:
                await self._pause(tx, schedule, error, now_us)
            else:
                log.warning("schedule.delayed", schedule=schedule.id, reason=error.code)
                await self._store.replace(tx, replace(schedule, due_at_us=now_us + DELAY_US))
        return 1

    async def _run(self, tx: Transaction, schedule: Schedule, now_us: int) -> None:
        timetable = Timetable.read(schedule.cron, schedule.time_zone)
        passed = timetable.passed(schedule.next_at_us, now_us - START_DELAY_US)
        moved = _moved(schedule, passed.next_us, now_us)
        if await self._store.has_run(tx, schedule.id, passed.latest_us):
            # The clock was ahead when the time was handled, and was corrected since.
            await self._store.replace(tx, moved)
            return
        last = await self._last_job(tx, schedule)
        since_us = _since_us(schedule, last)
        if last is not None and last.is_open:
            changed, outcome = moved, Outcome.BUSY
        elif since_us is not None and passed.latest_us - schedule.delay_us <= since_us:
            # The clock was ahead when the last window ended, and was corrected since: that time is not exported twice.
            next_us = first_time(timetable, passed.latest_us, since_us, schedule.delay_us)
            log.warning("schedule.delayed", schedule=schedule.id, reason="clock_was_ahead")
            await self._store.replace(tx, _moved(schedule, next_us, now_us))
            return
        else:
            changed, outcome = await self._start(tx, moved, last, passed), Outcome.STARTED
        has_window = outcome is Outcome.STARTED and changed.until_us is not None
        run = Run(
            schedule_id=schedule.id,
            at_us=passed.latest_us,
            tenant_id=schedule.tenant_id,
            outcome=outcome,
            job_id=changed.job_id if outcome is Outcome.STARTED else None,
            since_us=changed.since_us if has_window else None,
            until_us=changed.until_us if has_window else None,
            missed=passed.missed,
            recorded_at_us=now_us,
        )
        assert await self._store.add_run(tx, run), "the schedule is locked, and the time has no run"
        await self._store.replace(tx, changed)

    async def _last_job(self, tx: Transaction, schedule: Schedule) -> Job | None:
        if schedule.job_id is None:
            return None
        owner = Viewer(schedule.tenant_id, schedule.organization_id, schedule.secrecy_level)
        return await self._job_store.find(tx, owner, schedule.job_id)

    async def _start(self, tx: Transaction, schedule: Schedule, last: Job | None, passed: Passed) -> Schedule:
        """Start the job of a time; return the schedule with its window and its job."""
        app = await self._apps.find(tx, schedule.client_id)
        if app is None or app.tenant_id != schedule.tenant_id:
            raise AppRemoved
        since_us = _since_us(schedule, last)
        end_us = passed.latest_us - schedule.delay_us
        until_us = None if since_us is None else end_us
        payload = with_window(schedule.kind, orjson.loads(schedule.payload), since_us, end_us)
        level = schedule.secrecy_level.word
        # Nothing is concealed here, so that a lost scope is the reason of the pause, and not a malformed payload.
        wanted = read_wanted(schedule.kind, payload, level, schedule.callback_url, scopes=ENTITLED)
        check_rights(app, wanted.kind.scopes.of(wanted.payload), wanted.secrecy_level)
        job = await self._jobs.enqueue(tx, _actor(schedule, app), wanted)
        failures = count_failed(schedule.failures, None if last is None else last.status)
        return replace(schedule, since_us=since_us, until_us=until_us, job_id=job.id, failures=failures)

    async def _pause(self, tx: Transaction, schedule: Schedule, error: DomainError, now_us: int) -> None:
        log.warning("schedule.paused", schedule=schedule.id, reason=error.code)
        await self._store.replace(
            tx,
            replace(schedule, due_at_us=None, paused_at_us=now_us, pause_reason=error.code, updated_at_us=now_us),
        )
        actor = Actor(schedule.tenant_id, schedule.organization_id, schedule.secrecy_level, subject=schedule.id)
        await self._audit.record(tx, actor, "schedule.pause", schedule.id, metadata={"reason": error.code})


def _moved(schedule: Schedule, next_us: int, now_us: int) -> Schedule:
    """Return a schedule with its next time."""
    return replace(schedule, next_at_us=next_us, due_at_us=next_us + START_DELAY_US, updated_at_us=now_us)


def _since_us(schedule: Schedule, last: Job | None) -> int | None:
    """Return the begin of the next window, None without windows. `last` is the last job."""
    has_ended_well = last is not None and last.status is JobStatus.SUCCEEDED
    return schedule.until_us if has_ended_well else schedule.since_us


def _actor(schedule: Schedule, app: App) -> Actor:
    """Return the author of the job: the app, by this schedule."""
    return Actor(app.tenant_id, app.organization_id, app.clearance, subject=schedule.id, client_id=app.client_id)
