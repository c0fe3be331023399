"""The share links that vehicles report in the log of a care record, and their revocation."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, delete, func, select, update

from cloud.clinical.epcr import ReceivedChanges, care_changes, encounters
from cloud.clinical.handover.model import ShareLink
from cloud.clinical.handover.tables import share_links
from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer, visible
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action
from protocols.epcr.sharing import LINKS_MAX, added_hash, is_revocation

STATEMENTS_MAX = 2 * LINKS_MAX
"""Links and revocations of one batch that are read: all that an encounter can have, since a vehicle's batch is of one
encounter. Each takes one to three SQL statements in the transaction that stores the batches of all vehicles."""
_LINKS = Records(ShareLink, share_links)


class ShareLinks:
    """SQL statements on share links."""

    async def take(self, tx: Transaction, received: Sequence[ReceivedChanges]) -> None:
        """Store the links that these batches add or revoke, in the transaction that has stored their changes before. A
        repeated link changes nothing; one beyond `LINKS_MAX` of its encounter is left out, and so is a statement beyond
        `STATEMENTS_MAX` of its batch."""
        for batch in received:
            stated = [change for change in batch.changes if change.key == Annotation.SHARE]
            for change in stated[:STATEMENTS_MAX]:
                hash_ = added_hash(change)
                if hash_ is not None and change.entry is not None:
                    link = ShareLink(
                        tenant_id=batch.tenant_id,
                        id=change.entry,
                        token_hash=hash_,
                        encounter_id=change.encounter,
                        organization_id=batch.organization_id,
                        vehicle_id=batch.vehicle_id,
                        author=change.author,
                        added_at_us=batch.received_at_us,
                    )
                    if await self._count(tx, link) < LINKS_MAX:
                        await _LINKS.add(tx, await self._with_revocation(tx, link))
                elif is_revocation(change):
                    mine = (
                        share_links.c.id == change.entry,
                        share_links.c.encounter_id == change.encounter,
                        share_links.c.organization_id == batch.organization_id,
                    )
                    await self._revoke(tx, batch.tenant_id, change.author, batch.received_at_us, *mine)

    async def find(self, tx: Transaction, hash_: str) -> ShareLink | None:
        """Return the link of a token by its hash."""
        return await _LINKS.first(tx, _LINKS.select().where(share_links.c.token_hash == hash_))

    async def of_encounter(self, tx: Transaction, viewer: Viewer, encounter_id: str) -> Sequence[ShareLink]:
        """Return the links of an encounter that the viewer may see, oldest first."""
        mine = (*visible(share_links, viewer), share_links.c.encounter_id == encounter_id)
        return await _LINKS.all(tx, _LINKS.select().where(*mine).order_by(share_links.c.added_at_us, share_links.c.id))

    async def revoke_all(
        self, tx: Transaction, viewer: Viewer, encounter_id: str, *, by: str, now_us: int
    ) -> Sequence[str]:
        """Revoke all links of an encounter; return the ids of those that were open."""
        mine = (*visible(share_links, viewer), share_links.c.encounter_id == encounter_id)
        return await self._revoke(tx, viewer.tenant_id, by, now_us, *mine)

    async def unannounced(self, tx: Transaction, count: int) -> Sequence[ShareLink]:
        """Return and lock the oldest links, at most `count`, whose encounter exists and whose hand-over was not
        announced."""
        table = share_links.c
        known = (
            select(encounters.c.id)
            .where(encounters.c.tenant_id == table.tenant_id, encounters.c.id == table.encounter_id)
            .exists()
        )
        waiting = _LINKS.select().where(table.announced_at_us.is_(None), known).order_by(table.added_at_us, table.id)
        return await _LINKS.all(tx, waiting.limit(count).with_for_update(skip_locked=True, of=share_links))

    async def announce(self, tx: Transaction, link: ShareLink, now_us: int) -> bool:
        """Mark a link as announced; return whether it is the first one of its encounter and organisation."""
        table = share_links.c
        earlier = select(func.count()).where(*_same_encounter(link), table.announced_at_us.is_not(None))
        is_first = not int((await tx.execute(earlier)).scalar())
        mine = table.tenant_id == link.tenant_id, table.id == link.id
        await tx.execute(update(share_links).where(*mine).values(announced_at_us=now_us))
        return is_first

    async def erase(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Delete the links of an encounter, in the transaction that erases it."""
        mine = share_links.c.tenant_id == tenant_id, share_links.c.encounter_id == encounter_id
        await tx.execute(delete(share_links).where(*mine))

    async def _count(self, tx: Transaction, link: ShareLink) -> int:
        counting = select(func.count()).select_from(share_links).where(*_same_encounter(link))
        return int((await tx.execute(counting)).scalar())

    async def _with_revocation(self, tx: Transaction, link: ShareLink) -> ShareLink:
        """Return a new link as revoked where its revocation is in the log. It may arrive first, since a vehicle sends
        its newest batches beside its backlog."""
        table = care_changes.c
        mine = (
            table.tenant_id == link.tenant_id,
            table.encounter_id == link.encounter_id,
            table.organization_id == link.organization_id,
            table.element_key == Annotation.SHARE.value,
            table.entry_id == link.id,
            table.action == Action.REMOVE.value,
        )
        found = select(table.received_at_us, table.author).where(*mine).order_by(table.received_at_us).limit(1)
        row = (await tx.execute(found)).first()
        return link if row is None else replace(link, revoked_at_us=int(row.received_at_us), revoked_by=str(row.author))

    async def _revoke(self, tx: Transaction, tenant_id: str, by: str, now_us: int, *conditions: object) -> list[str]:
        statement = (
            update(share_links)
            .where(share_links.c.tenant_id == tenant_id, share_links.c.revoked_at_us.is_(None), *conditions)  # type: ignore[arg-type]
            .values(revoked_at_us=now_us, revoked_by=by)
            .returning(share_links.c.id)
        )
        return [row.id for row in await tx.execute(statement)]


def _same_encounter(link: ShareLink) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the links of the same encounter and organisation. Links of another organisation open
    nothing, so they do not count."""
    table = share_links.c
    return (
        table.tenant_id == link.tenant_id,
        table.encounter_id == link.encounter_id,
        table.organization_id == link.organization_id,
    )
