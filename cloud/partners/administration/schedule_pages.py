"""The pages of schedules: exports that the service starts at set times, for the apps that the operator has entitled.

The form offers exports only. The console schedules the other kinds of jobs, and exports with filters.
"""

import re
from collections.abc import Awaitable

from cloud.access.apps import Apps
from cloud.foundation.errors import DomainError
from cloud.foundation.http import Response
from cloud.foundation.ids import IdentifierMalformed
from cloud.foundation.viewer import SecrecyLevel
from cloud.partners.administration.admin_pages import AdminPages, Visit, done
from cloud.partners.administration.schedule_words import reason_key
from cloud.partners.administration.schemas import ScheduleForm
from cloud.work.exports import PUBLIC_FORMATS, ExportData
from cloud.work.schedules import DELAY_HOURS_MAX, HOUR_US, NewSchedule, may_have_schedules, schedules_of

SCHEDULES = "/admin/schedules"
KIND = "export.bulk"
RUNS = 30
"""Runs on the page of a schedule."""
_ID = re.compile(r"sch_[0-9A-Z]{26}")


class SchedulePages:
    """List, add, pause, resume and remove the schedules of the administrator's tenant and organisation."""

    def __init__(self, pages: AdminPages) -> None:
        parts = pages.parts
        self._pages = pages
        self._ids = parts.ids
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._schedules = parts.shared(schedules_of)

    async def list(self, visit: Visit) -> Response:
        found = await self._schedules.list(visit.actor)
        names = {app.client_id: app.name for app in await self._apps.list(visit.actor)}
        return self._pages.page(visit, "schedules.html", schedules=found, names=names)

    async def new(self, visit: Visit) -> Response:
        return await self._form(visit, ScheduleForm(id=self._ids.new("sch")))

    async def add(self, visit: Visit) -> Response:
        form: ScheduleForm = visit.request.body
        try:
            if _ID.fullmatch(form.id) is None:
                raise IdentifierMalformed
            new = NewSchedule(
                id=form.id,
                client_id=form.app,
                name=form.name,
                kind=KIND,
                payload={"data": form.data, "format": form.format},
                cron=form.cron,
                time_zone=form.time_zone.strip(),
                delay_hours=form.delay_hours,
                secrecy_level=form.secrecy_level,
                callback_url=form.callback_url.strip() or None,
            )
            made = await self._schedules.add(visit.actor, new)
        except DomainError as error:
            return await self._form(visit, form, error)
        return done(f"{SCHEDULES}/{made.id}", "schedule_added")

    async def show(self, visit: Visit) -> Response:
        return await self._one(visit)

    async def pause(self, visit: Visit) -> Response:
        return await self._change(visit, "schedule_paused", self._schedules.pause(visit.actor, _id(visit)))

    async def resume(self, visit: Visit) -> Response:
        return await self._change(visit, "schedule_resumed", self._schedules.resume(visit.actor, _id(visit)))

    async def remove(self, visit: Visit) -> Response:
        await self._schedules.remove(visit.actor, _id(visit))
        return done(SCHEDULES, "schedule_removed")

    async def _change(self, visit: Visit, what: str, change: Awaitable[object]) -> Response:
        """Await `change`. Show the confirmation text with the key `what` or, if `change` fails, the error on the
        page."""
        try:
            await change
        except DomainError as error:
            return await self._one(visit, error)
        return done(f"{SCHEDULES}/{_id(visit)}", what)

    async def _one(self, visit: Visit, error: DomainError | None = None) -> Response:
        schedule, runs = await self._schedules.find(visit.actor, _id(visit))
        app = await self._apps.find(schedule.client_id)
        return self._pages.page(
            visit,
            "schedule.html",
            error=error,
            schedule=schedule,
            delay_hours=None if schedule.since_us is None else schedule.delay_us // HOUR_US,
            app_name=None if app is None else app.name,
            runs=runs[:RUNS],
            reason=reason_key(schedule.pause_reason),
        )

    async def _form(self, visit: Visit, form: ScheduleForm, error: DomainError | None = None) -> Response:
        return self._pages.page(
            visit,
            "schedule_new.html",
            error=error,
            form=form,
            apps=[app for app in await self._apps.list(visit.actor) if may_have_schedules(app)],
            all_data=list(ExportData),
            formats=PUBLIC_FORMATS,
            delay_hours_max=DELAY_HOURS_MAX,
            levels=[level.word for level in SecrecyLevel if level <= visit.actor.clearance],
        )


def _id(visit: Visit) -> str:
    return visit.request.path["schedule_id"]
