"""Add, list, pause, resume and remove schedules, for the operator and for administrators.

Each change writes its audit entry in the same transaction. The payload, the call-back address and the rights of the app
are checked as if the app started the job itself, so what is refused at a time of the schedule was refused here before.
"""

from collections.abc import Sequence
from dataclasses import replace

import orjson

from cloud.access.apps import App, AppStore, AppUnknown, ClearanceExceeded
from cloud.access.audit import Audit
from cloud.access.tenancy import IdentifierTaken, TenancyStore, TenantUnknown
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.process import Process
from cloud.foundation.viewer import Actor, Viewer
from cloud.work.jobs import CallbackSender, Wanted, callbacks_of, read_wanted
from cloud.work.schedules.errors import (
    ScheduleNameMalformed,
    ScheduleUnknown,
    TooManySchedules,
)
from cloud.work.schedules.failing import find_failing
from cloud.work.schedules.model import REQUESTED, START_DELAY_US, FailedSchedule, NewSchedule, Run, Schedule
from cloud.work.schedules.rights import check_rights
from cloud.work.schedules.store import RUNS_KEPT, ScheduleStore
from cloud.work.schedules.timetable import Timetable
from cloud.work.schedules.windows import first_time, first_window, with_window

SCHEDULES_MAX = 100
"""Schedules of a tenant: with the shortest interval, 400 jobs an hour."""
SCHEDULES_OF_APP_MAX = 20
NAME_LENGTH_MAX = 100


class Schedules:
    """Use cases of schedules."""

    def __init__(self, database: Database, clock: Clock, ids: Ids, callbacks: CallbackSender) -> None:
        self._database = database
        self._clock = clock
        self._ids = ids
        self._callbacks = callbacks
        self._store = ScheduleStore()
        self._apps = AppStore()
        self._tenancy = TenancyStore()
        self._audit = Audit(clock)

    async def add(self, actor: Actor, new: NewSchedule) -> Schedule:
        """Add a schedule for an app that the actor may see. Raises `AppUnknown`, `ScheduleNotEntitled`,
        `ScopesMissing`, `ClearanceExceeded`, `CronMalformed`, `TimeZoneUnknown`, `KindNotScheduled`,
        `WindowMalformed`, `ScheduleNameMalformed`, `TooManySchedules`, `IdentifierTaken`, and the errors
        of a request for a job."""
        now_us = self._clock.now_us()
        timetable = Timetable.read(new.cron, new.time_zone)
        (since_us, delay_us), next_us = first_window(new, now_us), timetable.next_us(now_us)
        # The payload of the first job, since it may be malformed with a window only.
        payload = with_window(new.kind, new.payload, since_us, next_us - delay_us)
        async with self._database.read() as tx:
            scopes = (await self._find_app(tx, actor, new.client_id)).usable_scopes
        wanted = read_wanted(new.kind, payload, new.secrecy_level, new.callback_url, scopes=scopes)
        if wanted.secrecy_level > actor.clearance:
            raise ClearanceExceeded
        if wanted.callback_url is not None:
            await self._callbacks.judge(wanted.callback_url)
        async with self._database.transaction() as tx:
            if not await self._tenancy.lock_tenant(tx, actor.tenant_id):  # so that the counts stay true
                raise TenantUnknown
            app = await self._find_app(tx, actor, new.client_id)
            check_rights(app, wanted.kind.scopes.of(wanted.payload), wanted.secrecy_level)
            await self._check_counts(tx, actor.tenant_id, app.client_id)
            schedule = Schedule(
                id=new.id or self._ids.new("sch"),
                tenant_id=app.tenant_id,
                organization_id=app.organization_id,
                client_id=app.client_id,
                name=_checked_name(new.name),
                kind=new.kind,
                payload=orjson.dumps(new.payload).decode(),
                secrecy_level=wanted.secrecy_level,
                callback_url=wanted.callback_url,
                cron=timetable.cron,
                time_zone=new.time_zone,
                delay_us=delay_us,
                since_us=since_us,
                next_at_us=next_us,
                due_at_us=next_us + START_DELAY_US,
                created_at_us=now_us,
                updated_at_us=now_us,
            )
            await self._admit_callback(tx, schedule, wanted)
            if not await self._store.add(tx, schedule):
                raise IdentifierTaken(f"(schedule {schedule.id})")
            metadata = {"app": app.client_id, "kind": new.kind, "cron": schedule.cron, "time_zone": new.time_zone}
            await self._audit.record(tx, actor, "schedule.create", schedule.id, metadata=metadata)
        return schedule

    async def list(self, viewer: Viewer) -> Sequence[Schedule]:
        """Return all schedules that the viewer may see, in the order of their ids."""
        async with self._database.read() as tx:
            return await self._store.list(tx, viewer, SCHEDULES_MAX)

    async def list_stopped(self, viewer: Viewer, *, count: int) -> Sequence[Schedule]:
        """Return at most `count` schedules that the service has paused, the last paused first."""
        async with self._database.read() as tx:
            return await self._store.list_stopped(tx, viewer, count)

    async def list_failing(self, viewer: Viewer, *, count: int) -> Sequence[FailedSchedule]:
        """Return at most `count` schedules whose last jobs have failed (`find_failing`)."""
        async with self._database.read() as tx:
            return await find_failing(tx, viewer, count)

    async def find(self, viewer: Viewer, schedule_id: str) -> tuple[Schedule, Sequence[Run]]:
        """Return a schedule and its latest runs, newest first. Raises `ScheduleUnknown`."""
        async with self._database.read() as tx:
            found = await self._store.find(tx, viewer, schedule_id)
            if found is None:
                raise ScheduleUnknown
            return found, await self._store.runs(tx, schedule_id, RUNS_KEPT)

    async def pause(self, actor: Actor, schedule_id: str) -> Schedule:
        """Pause a schedule. A job that runs continues. A paused schedule is returned as it is. Raises
        `ScheduleUnknown`."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            found = await self._locked(tx, actor, schedule_id)
            if found.due_at_us is None:
                return found
            paused = replace(found, due_at_us=None, paused_at_us=now_us, pause_reason=REQUESTED, updated_at_us=now_us)
            await self._store.replace(tx, paused)
            await self._audit.record(tx, actor, "schedule.pause", schedule_id, metadata={"reason": REQUESTED})
        return paused

    async def resume(self, actor: Actor, schedule_id: str) -> Schedule:
        """Resume a schedule with its next time. The first window then begins where the last one ended, so it has what
        the pause left out. An active schedule is returned as it is. Raises `ScheduleUnknown`, `AppUnknown`,
        `ScheduleNotEntitled`, `ScopesMissing`, `ClearanceExceeded`, and the errors of a request for a job."""
        now_us = self._clock.now_us()
        async with self._database.transaction() as tx:
            found = await self._locked(tx, actor, schedule_id)
            if found.due_at_us is not None:
                return found
            app = await self._find_app(tx, actor, found.client_id)
            timetable = Timetable.read(found.cron, found.time_zone)
            next_us = first_time(timetable, now_us, found.since_us, found.delay_us)
            payload = with_window(found.kind, orjson.loads(found.payload), found.since_us, next_us - found.delay_us)
            scopes, level = app.usable_scopes, found.secrecy_level.word
            wanted = read_wanted(found.kind, payload, level, found.callback_url, scopes=scopes)
            check_rights(app, wanted.kind.scopes.of(wanted.payload), wanted.secrecy_level)
            await self._admit_callback(tx, found, wanted)
            resumed = replace(
                found,
                next_at_us=next_us,
                due_at_us=next_us + START_DELAY_US,
                paused_at_us=None,
                pause_reason=None,
                updated_at_us=now_us,
            )
            await self._store.replace(tx, resumed)
            await self._audit.record(tx, actor, "schedule.resume", schedule_id)
        return resumed

    async def remove(self, actor: Actor, schedule_id: str) -> None:
        """Remove a schedule and the list of its runs. Its jobs and their results stay. Raises `ScheduleUnknown`."""
        async with self._database.transaction() as tx:
            await self._locked(tx, actor, schedule_id)
            await self._store.remove(tx, schedule_id)
            await self._audit.record(tx, actor, "schedule.remove", schedule_id)

    async def _find_app(self, tx: Transaction, viewer: Viewer, client_id: str) -> App:
        app = await self._apps.find_for(tx, viewer, client_id)
        if app is None:
            raise AppUnknown
        return app

    async def _locked(self, tx: Transaction, actor: Actor, schedule_id: str) -> Schedule:
        found = await self._store.find(tx, actor, schedule_id, lock=True)
        if found is None:
            raise ScheduleUnknown
        return found

    async def _check_counts(self, tx: Transaction, tenant_id: str, client_id: str) -> None:
        if await self._store.count(tx, tenant_id, client_id) >= SCHEDULES_OF_APP_MAX:
            raise TooManySchedules(f"An app has at most {SCHEDULES_OF_APP_MAX}.")
        if await self._store.count(tx, tenant_id) >= SCHEDULES_MAX:
            raise TooManySchedules(f"A tenant has at most {SCHEDULES_MAX}.")

    async def _admit_callback(self, tx: Transaction, schedule: Schedule, wanted: Wanted) -> None:
        if wanted.callback_url is not None:
            owner = Viewer(schedule.tenant_id, schedule.organization_id, wanted.secrecy_level)
            await self._callbacks.admit(tx, owner, schedule.client_id, wanted.callback_url)


def _checked_name(text: str) -> str:
    """Return a name without the blanks around it. Raises `ScheduleNameMalformed`."""
    name = text.strip()
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not name.isprintable():
        raise ScheduleNameMalformed
    return name


def schedules_of(process: Process) -> Schedules:
    """Make the service of schedules of a process. Call it as `process.shared(schedules_of)`."""
    return Schedules(process.database, process.clock, process.ids, process.shared(callbacks_of))
