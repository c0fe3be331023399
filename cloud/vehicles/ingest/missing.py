"""Report batches that a gateway published and the broker confirmed, but that never arrived.

The broker's confirmation is no proof of arrival: the broker may drop batches, or another client may receive them. A
gateway's status lists the batches that the broker has confirmed and the cloud has not acknowledged. The ones that the
cloud does not hold are recorded, and reported when a status 30 s later still lists them: until then another worker may
be writing them.
"""

from collections.abc import Mapping, Sequence

from sqlalchemy import delete, select

from cloud.foundation.db import Transaction, insert
from cloud.vehicles.custody import LaneMarks, LaneRow, Range
from cloud.vehicles.fleet import RegisteredGateway
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.tables import gateway_quotas, missing_batches
from protocols.uplink.lanes import Lane
from protocols.uplink.status import PUBLISHED_RANGES_MAX, Status

MISSING_AFTER_US = 30_000_000
"""Longest time in which a batch may still arrive from the broker: an overloaded cloud took 16 s at worst."""

RANGES_MAX = 2 * PUBLISHED_RANGES_MAX
"""Limit of the missing ranges stored of one lane: the ranges of a status, each split in two."""


class MissingBatches:
    """Compare the batches in gateways' statuses with the batches that the cloud holds."""

    async def compare(
        self,
        tx: Transaction,
        events: BatchEvents,
        gateway: RegisteredGateway,
        status: Status,
        held: Mapping[Lane, LaneRow | None],
        *,
        now_us: int,
    ) -> None:
        """Record, report or delete the missing ranges of each lane (numbered stream of batches) that the status lists.
        `held` maps a lane to its row as stored in this transaction, or to None if the cloud has no batch of the lane.
        """
        noted = await self._noted(tx, gateway, status.epoch)
        if await self._holds_back(tx, gateway, begun=any(row is not None for row in held.values())):
            return  # the batches arrived and were held back, which the event of the quota reports
        for lane, mark in status.marks.items():
            row = held.get(lane)
            if mark.published is None or (row is not None and row.contested):
                continue
            lacking = _lacking(LaneMarks() if row is None else row.marks, mark.published)
            if not lacking:
                if lane.value in noted:
                    await self._forget(tx, gateway, status.epoch, lane)
                continue
            before, since_us, reported_us = noted.get(lane.value, ((), now_us, None))
            still = _common(before, lacking)
            if not still:
                # Other batches than before: these have not been missing for long.
                await self._note(tx, gateway, status.epoch, lane, lacking, since_us=now_us, reported_us=None)
            elif reported_us is None and now_us - since_us >= MISSING_AFTER_US:
                await self._note(tx, gateway, status.epoch, lane, still, since_us=since_us, reported_us=now_us)
                await events.emit_for(gateway, event_types.MISSING, _event_payload(status.epoch, lane, still))
            elif still != before:
                await self._note(tx, gateway, status.epoch, lane, still, since_us=since_us, reported_us=reported_us)

    async def _noted(
        self, tx: Transaction, gateway: RegisteredGateway, epoch: str
    ) -> dict[str, tuple[Sequence[Range], int, int | None]]:
        """Return a dict that maps each lane to its missing ranges in this epoch, the time since which they are missing,
        and the time when they were reported (None: not yet). Records of other epochs, which the status no longer lists,
        are deleted."""
        table = missing_batches.c
        rows = await tx.execute(
            select(missing_batches).where(table.tenant_id == gateway.tenant_id, table.gateway_id == gateway.id)
        )
        if any(row.epoch != epoch for row in rows):
            await tx.execute(
                delete(missing_batches).where(
                    table.tenant_id == gateway.tenant_id, table.gateway_id == gateway.id, table.epoch != epoch
                )
            )
        return {
            row.lane: (LaneMarks.of(0, row.ranges).ahead, row.since_us, row.reported_us)
            for row in rows
            if row.epoch == epoch
        }

    async def _holds_back(self, tx: Transaction, gateway: RegisteredGateway, *, begun: bool) -> bool:
        """Return whether a quota holds back this gateway's batches, so that they are neither stored nor acknowledged.
        `begun`: batches of the epoch are stored, so the quota of new epochs does not apply."""
        table = gateway_quotas.c
        statement = select(table.held_back_us, table.epochs_held_back_us).where(
            table.tenant_id == gateway.tenant_id, table.gateway_id == gateway.id
        )
        row = (await tx.execute(statement)).first()
        return row is not None and (row.held_back_us is not None or (row.epochs_held_back_us is not None and not begun))

    async def _note(
        self,
        tx: Transaction,
        gateway: RegisteredGateway,
        epoch: str,
        lane: Lane,
        ranges: Sequence[Range],
        *,
        since_us: int,
        reported_us: int | None,
    ) -> None:
        news = {
            "ranges": LaneMarks(0, tuple(ranges[:RANGES_MAX])).text(),
            "since_us": since_us,
            "reported_us": reported_us,
        }
        statement = insert(missing_batches).values(
            tenant_id=gateway.tenant_id, gateway_id=gateway.id, epoch=epoch, lane=lane.value, **news
        )
        await tx.execute(
            statement.on_conflict_do_update(index_elements=["tenant_id", "gateway_id", "epoch", "lane"], set_=news)
        )

    async def _forget(self, tx: Transaction, gateway: RegisteredGateway, epoch: str, lane: Lane) -> None:
        table = missing_batches.c
        await tx.execute(
            delete(missing_batches).where(
                table.tenant_id == gateway.tenant_id,
                table.gateway_id == gateway.id,
                table.epoch == epoch,
                table.lane == lane.value,
            )
        )


def _lacking(marks: LaneMarks, published: Sequence[Range]) -> tuple[Range, ...]:
    """Return the parts of the published ranges that the cloud does not hold."""
    return tuple([hole for first, last in published for hole in marks.lacking(first, last)])[:RANGES_MAX]


def _common(ones: Sequence[Range], others: Sequence[Range]) -> tuple[Range, ...]:
    """Intersect two lists of ascending ranges in one pass."""
    common: list[Range] = []
    at = other_at = 0
    while at < len(ones) and other_at < len(others):
        first, last = max(ones[at][0], others[other_at][0]), min(ones[at][1], others[other_at][1])
        if first <= last:
            common.append((first, last))
        if ones[at][1] < others[other_at][1]:
            at += 1
        else:
            other_at += 1
    return tuple(common)


def _event_payload(epoch: str, lane: Lane, ranges: Sequence[Range]) -> dict[str, object]:
    return {
        "epoch": epoch,
        "lane": lane.value,
        "first_sequence": ranges[0][0],
        "last_sequence": ranges[-1][1],
        "batches": sum(last - first + 1 for first, last in ranges),
    }
