"""The page of the audit trail: search by actor, action, object, trace and time, newest first."""

from collections.abc import Sequence

from cloud.access.audit import AuditEntry, AuditFilter
from cloud.access.identity import UsernameMalformed, UserStore, folded
from cloud.foundation.db import Transaction
from cloud.foundation.http import Response
from cloud.partners.administration.admin_pages import AdminPages, Visit
from cloud.partners.administration.moments import SECOND_US
from cloud.partners.administration.schemas import AuditQuery

DAY_US = 86_400 * SECOND_US
DAYS = (1, 7, 30, 365, 3660)


class AuditPages:
    """The page with the search form of the audit trail and its results."""

    def __init__(self, pages: AdminPages) -> None:
        self._pages = pages
        self._parts = pages.parts
        self._audit = pages.audit
        self._people = UserStore()

    async def search(self, visit: Visit) -> Response:
        query: AuditQuery = visit.request.query
        filters = query.model_dump(exclude_none=True, exclude={"cursor"})
        unread = query.trace_id is not None and query.trace is None
        names: dict[str, str] = {}

        async def read(before: tuple[int, int] | None, count: int) -> Sequence[AuditEntry]:
            if unread:
                return ()
            async with self._parts.database.read() as tx:
                wanted = AuditFilter(
                    actor=await self._id_of(tx, visit, query.actor),
                    action=query.action,
                    object=await self._id_of(tx, visit, query.object),
                    trace_id=query.trace,
                    since_us=self._parts.clock.now_us() - query.days * DAY_US,
                )
                found = await self._audit.search(tx, visit.actor, wanted, before=before, count=count)
                people = {one for entry in found for one in (entry.actor, entry.object) if one.startswith("usr_")}
                names.update(await self._people.names(tx, visit.actor, sorted(people)))
                return found

        entries, onward = await self._pages.rows(
            visit, read, lambda entry: (entry.at_us, entry.id), filters, position=(int, int)
        )
        return self._pages.page(
            visit,
            "audit.html",
            entries=entries,
            names=names,
            onward=onward,
            query=query,
            all_days=DAYS,
            unread=unread,
        )

    async def _id_of(self, tx: Transaction, visit: Visit, text: str | None) -> str | None:
        """Return the user id if `text` is the name of a user, otherwise `text` unchanged. Audit entries have user ids,
        but people search by name."""
        if text is None:
            return None
        try:
            user = await self._people.find(tx, visit.actor, folded(text))
        except UsernameMalformed:
            return text
        return text if user is None else user.id
