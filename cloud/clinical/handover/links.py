"""The share links that vehicles report in the log of a care record, and their revocation."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import ColumnElement, delete, func, select, update

from cloud.clinical.epcr import (
    Encounter,
    Encounters,
    Joins,
    ReceivedChanges,
    care_changes,
    encounters,
    encounters_joined_to,
)
from cloud.clinical.handover.model import ShareLink
from cloud.clinical.handover.tables import share_links
from cloud.foundation.db import Records, Transaction
from cloud.foundation.viewer import Viewer
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action
from protocols.epcr.sharing import LINKS_MAX, added_hash, is_revocation

PENDING_MAX = 64
"""Links of one vehicle whose encounter does not exist. A crew makes few before the dispatch system's encounter or the
join arrives; without a limit, a vehicle could fill the table with encounters that it invents."""
STATEMENTS_MAX = 2 * LINKS_MAX
"""Links and revocations of one batch that are read: all that an encounter can have, since a vehicle's batch is of one
encounter. Each takes one to three SQL statements in the transaction that stores the batches of all vehicles."""
_LINKS = Records(ShareLink, share_links)


class ShareLinks:
    """SQL statements on share links. A link that the crew made in a report of its own is one of the encounter that the
    report was joined to, from the join on."""

    def __init__(self) -> None:
        self._encounters = Encounters()
        self._joins = Joins()

    async def take(self, tx: Transaction, received: Sequence[ReceivedChanges]) -> None:
        """Store the links that these batches add or revoke, in the transaction that has stored their changes before. A
        repeated link changes nothing; one beyond `LINKS_MAX` of its encounter is left out, and so is a statement beyond
        `STATEMENTS_MAX` of its batch. A link beyond `PENDING_MAX` of its vehicle replaces the oldest one that opens
        nothing yet."""
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
                    if await self._count(tx, link) < LINKS_MAX and await _LINKS.add(
                        tx, await self._with_revocation(tx, link)
                    ):
                        await self._delete_oldest_pending(tx, link)
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

    async def encounter(self, tx: Transaction, viewer: Viewer, link: ShareLink) -> Encounter | None:
        """Return the encounter of a link, or that to which its report was joined. None if it does not exist, or if the
        viewer may not see it."""
        found = await self._encounters.find(tx, viewer, link.encounter_id)
        if found is not None:
            return found
        joined = await self._joins.encounter(tx, link.tenant_id, link.organization_id, link.encounter_id)
        return None if joined is None else await self._encounters.find(tx, viewer, joined)

    async def of_encounter(self, tx: Transaction, encounter: Encounter) -> Sequence[ShareLink]:
        """Return the links of an encounter, oldest first."""
        mine = await self._of(tx, encounter)
        return await _LINKS.all(tx, _LINKS.select().where(*mine).order_by(share_links.c.added_at_us, share_links.c.id))

    async def revoke_all(self, tx: Transaction, encounter: Encounter, *, by: str, now_us: int) -> Sequence[str]:
        """Revoke all links of an encounter; return the ids of those that were open."""
        return await self._revoke(tx, encounter.tenant_id, by, now_us, *await self._of(tx, encounter))

    async def unannounced(self, tx: Transaction, count: int, since_us: int) -> Sequence[ShareLink]:
        """Return and lock the oldest links, at most `count`, whose encounter exists and whose hand-over was not
        announced. Those from before `since_us` are left out: they have expired."""
        table = share_links.c
        due = _LINKS.select().where(table.announced_at_us.is_(None), table.added_at_us >= since_us, _has_encounter())
        oldest = due.order_by(table.added_at_us, table.id).limit(count)
        return await _LINKS.all(tx, oldest.with_for_update(skip_locked=True, of=share_links))

    async def announce(self, tx: Transaction, link: ShareLink, encounter: Encounter | None, now_us: int) -> bool:
        """Mark a link as announced; return whether it is the first one of its encounter and organisation. `encounter`
        None: the link opens nothing, since its encounter is of another organisation."""
        table = share_links.c
        same = _same_encounter(link) if encounter is None else await self._of(tx, encounter)
        earlier = select(func.count()).where(*same, table.announced_at_us.is_not(None))
        is_first = not int((await tx.execute(earlier)).scalar())
        mine = table.tenant_id == link.tenant_id, table.id == link.id
        await tx.execute(update(share_links).where(*mine).values(announced_at_us=now_us))
        return is_first

    async def erase(self, tx: Transaction, tenant_id: str, encounter_id: str) -> None:
        """Delete the links of an encounter, in the transaction that erases it."""
        mine = share_links.c.tenant_id == tenant_id, share_links.c.encounter_id == encounter_id
        await tx.execute(delete(share_links).where(*mine))

    async def _of(self, tx: Transaction, encounter: Encounter) -> tuple[ColumnElement[bool], ...]:
        """Return the conditions of the links of an encounter, also of those made in a report before its join."""
        reports = await self._joins.reports(tx, encounter.tenant_id, encounter.organization_id, encounter.id)
        return (
            share_links.c.tenant_id == encounter.tenant_id,
            share_links.c.organization_id == encounter.organization_id,
            share_links.c.encounter_id.in_([encounter.id, *(one.report_id for one in reports)]),
        )

    async def _delete_oldest_pending(self, tx: Transaction, link: ShareLink) -> None:
        """Delete the links of a vehicle that open nothing and are older than the newest `PENDING_MAX` of them."""
        table = share_links.c
        pending = (
            table.tenant_id == link.tenant_id,
            table.vehicle_id == link.vehicle_id,
            table.announced_at_us.is_(None),
            ~_has_encounter(),
        )
        newest = table.added_at_us.desc(), table.id.desc()
        beyond = select(table.id).where(*pending).order_by(*newest).offset(PENDING_MAX)
        await tx.execute(delete(share_links).where(table.tenant_id == link.tenant_id, table.id.in_(beyond)))

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


def _has_encounter() -> ColumnElement[bool]:
    """Return the condition of the links whose encounter exists, or whose report was joined to one."""
    table = share_links.c
    known = select(encounters.c.id).where(
        encounters.c.tenant_id == table.tenant_id, encounters.c.id == table.encounter_id
    )
    joined = encounters_joined_to(table.tenant_id, table.organization_id, table.encounter_id)
    return known.exists() | joined.exists()


def _same_encounter(link: ShareLink) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions of the links of the same encounter and organisation. Links of another organisation open
    nothing, so they do not count."""
    table = share_links.c
    return (
        table.tenant_id == link.tenant_id,
        table.encounter_id == link.encounter_id,
        table.organization_id == link.organization_id,
    )
