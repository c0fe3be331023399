"""The first page of the administration: items that need attention, and the latest changes."""

from collections.abc import Sequence

from cloud.access.apps import App, Apps, LiveSecret
from cloud.access.audit import AuditFilter
from cloud.access.identity import UserStore
from cloud.access.tokens import SigningKeys
from cloud.foundation.http import Response
from cloud.partners.administration.admin_pages import AdminPages, Visit
from cloud.partners.administration.moments import SECOND_US
from cloud.partners.webhooks import Judge, Webhooks
from cloud.work.schedules import schedules_of

DAY_US = 86_400 * SECOND_US
SECRET_OLD_US = 365 * DAY_US
KEY_OLD_US = 90 * DAY_US
"""Age at which the page warns about a key. Operators rotate keys by a timer; without one, keys reach this age."""
CHECKED_APPS = 200
"""Apps whose secrets are checked for their age: the oldest, since ids sort by age."""
NOTICES = 10
"""Entries of each kind that needs attention."""
LATEST = 8
"""Number of audit entries on the page."""


class HomePage:
    def __init__(self, pages: AdminPages, keys: SigningKeys, judge: Judge) -> None:
        parts = pages.parts
        self._pages = pages
        self._parts = parts
        self._audit = pages.audit
        self._keys = keys
        self._apps = Apps(parts.database, parts.clock, parts.ids)
        self._webhooks = Webhooks(parts.database, parts.clock, parts.ids, parts.master, judge)
        self._schedules = parts.shared(schedules_of)
        self._people = UserStore()

    async def show(self, visit: Visit) -> Response:
        viewer, now_us = visit.actor, self._parts.clock.now_us()
        apps = await self._apps.page(viewer, after=None, count=CHECKED_APPS)
        current = next((key for key in await self._keys.list() if key.is_current), None)
        signs_since_us = None if current is None else current.signs_from_us
        async with self._parts.database.read() as tx:
            recent = AuditFilter(since_us=now_us - 30 * DAY_US)
            latest = await self._audit.search(tx, viewer, recent, count=LATEST)
            people = {one for entry in latest for one in (entry.actor, entry.object) if one.startswith("usr_")}
            names = await self._people.names(tx, viewer, sorted(people))
        return self._pages.page(
            visit,
            "home.html",
            stopped=await self._schedules.list_stopped(viewer, count=NOTICES),
            failed=await self._schedules.list_failing(viewer, count=NOTICES),
            failing=await self._webhooks.list_failing(viewer, count=NOTICES),
            old_secrets=[(app, live[0]) for app, live in apps if _is_due_for_rotation(app, live, now_us)][:NOTICES],
            key_since_us=signs_since_us if signs_since_us and now_us - signs_since_us > KEY_OLD_US else None,
            latest=latest,
            names=names,
            begins=not apps,
        )


def _is_due_for_rotation(app: App, live: Sequence[LiveSecret], now_us: int) -> bool:
    return app.confidential and bool(live) and now_us - live[0].created_at_us > SECRET_OLD_US
