"""The rows of parked batches: stored in the chain and acknowledged, but not yet unpacked into rows.

A gateway's parked batches are queued in the order of arrival. Parking is as durable as storing, since the envelope of a
parked batch is stored like that of any other batch.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import bindparam, delete, func, select

from cloud.foundation.db import Prepared, Transaction
from cloud.vehicles.custody import HELD_BATCHES, HeldBatch, batches, lanes
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.opening import Opened, ParkedPayload
from cloud.vehicles.ingest.quotas import ROW_BYTES
from cloud.vehicles.ingest.tables import gateway_quotas, parked_batches

_COLUMNS = ("tenant_id", "gateway_id", "lane_id", "sequence", "quota", "parked_bytes", "parked_us")
_REMOVE = Prepared(delete(parked_batches).where(parked_batches.c.parked_id == bindparam("of_parked_id")))


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedBatch:
    """A stored batch that will be unpacked when its gateway's quotas allow it."""

    parked_id: int
    parked_bytes: int
    held: HeldBatch


class ParkingStore:
    """SQL statements on parked batches, which are stored and will be unpacked later."""

    async def park(self, tx: Transaction, parked: Sequence[tuple[Opened, int]], now_us: int) -> None:
        """Add the rows of parked batches, each given with its lane id, in the order of unpacking. `tx` must already
        have added these batches to the chain."""
        rows = [
            (
                one.gateway.tenant_id,
                one.gateway.id,
                lane_id,
                one.batch.sequence,
                one.content.quota.value,
                len(one.delivery.octets) + ROW_BYTES,
                now_us,
            )
            for one, lane_id in parked
            if isinstance(one.content, ParkedPayload)
        ]
        if rows:
            await tx.driver.append(parked_batches, _COLUMNS, rows)

    async def gateways(self, tx: Transaction, *, after: GatewayName, limit: int) -> Sequence[GatewayName]:
        """Return at most `limit` gateways with parked batches, in the order of tenant and id, that follow `after`."""
        name = (gateway_quotas.c.tenant_id, gateway_quotas.c.gateway_id)
        statement = (
            select(*name)
            .where(gateway_quotas.c.parked_batches > 0)
            .where((name[0] > after[0]) | ((name[0] == after[0]) & (name[1] > after[1])))
            .order_by(*name)
            .limit(limit)
        )
        return [(row.tenant_id, row.gateway_id) for row in await tx.execute(statement)]

    async def oldest(self, tx: Transaction, name: GatewayName, *, limit: int) -> Sequence[ParkedBatch]:
        """Return at most `limit` parked batches of a gateway, earliest first."""
        parked = parked_batches.c
        statement = (
            select(parked.parked_id, parked.parked_bytes, lanes.c.gateway_id, *HELD_BATCHES.columns)
            .join(batches, (batches.c.lane_id == parked.lane_id) & (batches.c.sequence == parked.sequence))
            .join(lanes, lanes.c.lane_id == batches.c.lane_id)
            .where(parked.tenant_id == name[0], parked.gateway_id == name[1])
            .order_by(parked.parked_id)
            .limit(limit)
        )
        return [
            ParkedBatch(parked_id=parked_id, parked_bytes=size, held=HELD_BATCHES.read(row, gateway_id=gateway_id))
            for parked_id, size, gateway_id, *row in await tx.execute(statement)
        ]

    async def first_parked(self, tx: Transaction, lane_ids: Collection[int]) -> Mapping[int, int]:
        """Return lane → sequence number of its first parked batch, for those of the lanes that have one."""
        parked = parked_batches.c
        chosen = select(parked.lane_id, func.min(parked.sequence)).where(parked.lane_id.in_(sorted(lane_ids)))
        rows = await tx.execute(chosen.group_by(parked.lane_id)) if lane_ids else ()
        return {int(lane_id): int(sequence) for lane_id, sequence in rows}

    async def remove(self, tx: Transaction, parked: ParkedBatch) -> bool:
        """Delete the row of a parked batch. Return False if another worker has deleted it and so writes the batch's
        content."""
        return await tx.driver.run(_REMOVE, {"of_parked_id": parked.parked_id}) == 1
