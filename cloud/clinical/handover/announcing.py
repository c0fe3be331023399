"""Announce hand-overs: emit `epcr.handover.ready` for the first link of an encounter, in the transaction that marks it.

A watch does this instead of the ingest, because a link may arrive before its encounter, whose owner the event
needs, or before its report is joined to one.
"""

from cloud.access.audit import Audit
from cloud.clinical.handover.event_types import HANDOVER_READY
from cloud.clinical.handover.links import ShareLinks
from cloud.clinical.handover.model import LinkPeriod
from cloud.foundation.clock import Clock
from cloud.foundation.db import Transaction
from cloud.foundation.events import SECRECY, Outbox
from cloud.foundation.ids import Ids
from cloud.foundation.moments import write_moment
from cloud.foundation.viewer import Actor, SecrecyLevel

CHUNK = 100
"""Links of one chunk."""


class HandoverAnnouncer:
    """Emits the events of new share links."""

    def __init__(self, clock: Clock, ids: Ids, period: LinkPeriod) -> None:
        self._links = ShareLinks()
        self._outbox = Outbox(ids)
        self._audit = Audit(clock)
        self._period = period

    async def announce_next(self, tx: Transaction, now_us: int) -> int:
        """Announce the next links; return their number."""
        found = await self._links.unannounced(tx, CHUNK, self._period.first_us(now_us))
        for link in found:
            actor = Actor(link.tenant_id, link.organization_id, SecrecyLevel.TOP_SECRET, subject=link.author)
            encounter = await self._links.encounter(tx, actor, link)
            is_first = await self._links.announce(tx, link, encounter, now_us)
            if encounter is None:  # of another organisation: the link opens nothing
                continue
            await self._audit.record(tx, actor, "handover.link_added", link.id, metadata={"encounter": encounter.id})
            if is_first:
                payload = {
                    "encounter_id": encounter.id,
                    "vehicle_id": link.vehicle_id,
                    "link_id": link.id,
                    "shared_at": write_moment(link.added_at_us),
                    "expires_at": write_moment(self._period.end_us(link, None)),
                    SECRECY: encounter.secrecy_level.word,
                }
                await self._outbox.emit(tx, HANDOVER_READY, encounter, key=encounter.id, payload=payload, at_us=now_us)
        return len(found)
