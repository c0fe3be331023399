"""Snapshot of the 12-lead ECG: the crew's tap is stored in the open report as a 12-lead ECG at its time.

The samples are in the store anyway; the statement names their time. So the hand-over, the PDF, the bundle and the cloud
show the ten seconds that the crew chose, and the report lists the ECG among the events of the devices.
"""

import uuid
from datetime import UTC, datetime, timedelta, tzinfo

from aiohttp import web

from gateway.buffer import BufferClosed, StoreFull
from gateway.crew.access import Access
from gateway.crew.routes import CrewRoute, member_of
from gateway.epcr.draft_log import Draft
from gateway.epcr.drafts import Drafts
from gateway.epcr.record_writer import RecordWriter
from gateway.transports.clock import Clock
from protocols.epcr.handover.ecg import STRIP_S
from protocols.epcr.handover.twelve_lead import TWELVE_LEAD
from protocols.epcr.mission import joined_report

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Snapshots:
    """Stores snapshots. `zone`: the time zone of the times in the record."""

    def __init__(self, drafts: Drafts, clock: Clock, zone: tzinfo) -> None:
        self._drafts = drafts
        self._clock = clock
        self._zone = zone
        self._writer = RecordWriter(drafts, clock)

    def routes(self) -> tuple[CrewRoute, ...]:
        return (CrewRoute("POST", "/snapshot", self._take, Access.WRITE),)

    async def _take(self, request: web.Request) -> web.StreamResponse:
        """Store the last ten seconds as a 12-lead ECG of the report that the devices measure for."""
        began_us = self._clock.wall_us() - round(STRIP_S * 1_000_000)
        draft = await self._open_draft()
        if draft is None:
            return web.json_response({"stored": False, "encounter": None}, status=409)
        began = (_EPOCH + timedelta(microseconds=began_us)).astimezone(self._zone)
        entry = f"ecg-{uuid.uuid4().hex[:16]}"
        values = {"devices.time": began.isoformat(timespec="seconds"), "devices.event": TWELVE_LEAD}
        changes = [
            {"id": str(uuid.uuid4()), "key": key, "entry": entry, "value": value} for key, value in values.items()
        ]
        reply = await self._writer.append(
            {"encounter": draft.encounter, "author": member_of(request).id, "changes": changes}
        )
        stored = "stored" in reply
        return web.json_response({"stored": stored, "encounter": draft.encounter}, status=200 if stored else 503)

    async def _open_draft(self) -> Draft | None:
        """Return the report that the devices measure for; without one, the open report that was changed last. A call
        from dispatch that arrives meanwhile, and one that a report continues, are other drafts."""
        try:
            await self._drafts.catch_up()
        except (StoreFull, BufferClosed):
            return None
        if (holder := self._drafts.devices.holder) is not None:
            return holder
        reports = (each for each in self._drafts.all() if not each.sealed and joined_report(each.record) is None)
        return next(reports, None)
