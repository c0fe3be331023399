"""The database rows of the hash chain: batches, gap records, and the states of their links."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Table, bindparam, or_, select, tuple_, update

from cloud.foundation.db import Prepared, Records, Transaction
from cloud.vehicles.custody.links import ChainedBatch, LinkState
from cloud.vehicles.custody.tables import batches, gap_ranges, lanes
from protocols.uplink.envelope import Envelope
from protocols.uplink.gaps import Gap


class Content(StrEnum):
    """The state of a stored batch's payload: unpacked into database rows, or not."""

    ROWS = "rows"
    """The payload has been unpacked into rows."""
    KEPT = "kept"
    """The payload is of a kind that is not unpacked yet."""
    UNREADABLE = "unreadable"
    """The payload could not be read, was above a limit, or took too long to write; quarantine has the reason."""
    PARKED = "parked"
    """The gateway was over a quota; the batch gets its rows when the quota allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """A verified batch to add to the chain. `signed_by` is the fingerprint of the key that verified the signature."""

    lane_id: int
    envelope: Envelope
    octets: bytes
    hash: bytes
    payload_hash: bytes
    signed_by: str
    link: LinkState
    content: Content
    organization_id: str
    vehicle_id: str
    received_at_us: int
    traceparent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBatch:
    """A stored batch whose content is not yet written as rows, with the organisation and vehicle that the gateway had
    when the batch arrived."""

    lane_id: int
    sequence: int
    gateway_id: str
    organization_id: str
    vehicle_id: str
    hash: bytes
    received_at_us: int
    envelope: bytes


HELD_BATCHES = Records(HeldBatch, batches)

_batch_columns = (batches.c.sequence, batches.c.hash, batches.c.previous_hash, batches.c.link)
_gap_columns = (
    gap_ranges.c.sequence,
    gap_ranges.c.through_sequence,
    gap_ranges.c.hash,
    gap_ranges.c.chain_before,
    gap_ranges.c.chain_after,
    gap_ranges.c.link,
)
_low, _high = bindparam("low", type_=BigInteger), bindparam("high", type_=BigInteger)
_BATCHES_BETWEEN = Prepared(
    select(*_batch_columns).where(batches.c.lane_id == bindparam("of_lane_id"), batches.c.sequence.between(_low, _high))
)
_GAPS_BETWEEN = Prepared(
    select(*_gap_columns).where(
        gap_ranges.c.lane_id == bindparam("of_lane_id"),
        or_(gap_ranges.c.sequence.between(_low, _high), gap_ranges.c.through_sequence.between(_low, _high)),
    )
)
_LINK_BATCH = Prepared(
    update(batches)
    .where(batches.c.lane_id == bindparam("of_lane_id"), batches.c.sequence == bindparam("of_sequence"))
    .values(link=bindparam("new_link")),
    order=("of_lane_id", "of_sequence", "new_link"),
)
_LINK_GAP = Prepared(
    update(gap_ranges)
    .where(
        gap_ranges.c.lane_id == bindparam("of_lane_id"),
        gap_ranges.c.sequence == bindparam("of_sequence"),
        gap_ranges.c.through_sequence == bindparam("of_through"),
    )
    .values(link=bindparam("new_link")),
    order=("of_lane_id", "of_sequence", "of_through", "new_link"),
)

_CHANGE_CONTENT = Prepared(
    update(batches)
    .where(
        batches.c.lane_id == bindparam("of_lane_id"),
        batches.c.sequence == bindparam("of_sequence"),
        batches.c.content == bindparam("before"),
    )
    .values(content=bindparam("after"))
)

# Adjacent sequences are read as one range, scattered ones one by one: the batches between them must not be read.
_RANGE_SPARSITY_MAX = 4


class CustodyStore:
    """SQL statements on the hash chain."""

    async def neighbours(self, tx: Transaction, lane_id: int, sequences: Collection[int]) -> list[ChainedBatch]:
        """Return the batches and gap records of a lane that begin or end at one of `sequences`. The result may also
        have batches and gap records with other sequence numbers, between the lowest and the highest of `sequences`."""
        low, high = min(sequences), max(sequences)
        if high - low <= _RANGE_SPARSITY_MAX * len(sequences):
            values = {"of_lane_id": lane_id, "low": low, "high": high}
            found = [*await tx.driver.rows(_BATCHES_BETWEEN, values)]
            gaps = [*await tx.driver.rows(_GAPS_BETWEEN, values)]
        else:
            wanted = sorted(sequences)
            here = (batches.c.lane_id == lane_id, batches.c.sequence.in_(wanted))
            found = [*await tx.execute(select(*_batch_columns).where(*here))]
            ends = or_(gap_ranges.c.sequence.in_(wanted), gap_ranges.c.through_sequence.in_(wanted))
            gaps = [*await tx.execute(select(*_gap_columns).where(gap_ranges.c.lane_id == lane_id, ends))]
        return [
            *(_chained(at, at, hash_, before, hash_, link, is_gap=False) for at, hash_, before, link in found),
            *(_chained(*row, is_gap=True) for row in gaps),
        ]

    async def append(
        self,
        tx: Transaction,
        received: Sequence[ReceivedBatch],
        gaps: Sequence[tuple[ReceivedBatch, Gap]],
        *,
        stored_at_us: int,
    ) -> None:
        """Add new batches and gap records; the call fails as a whole when one of them is already stored. `stored_at_us`
        is the present time by the cloud's clock."""
        if received:
            await _append(tx, batches, [_batch_row(one, stored_at_us) for one in received])
        if gaps:
            await _append(tx, gap_ranges, [_gap_row(one, gap) for one, gap in gaps])

    async def resolve(self, tx: Transaction, lane_id: int, judged: Sequence[ChainedBatch]) -> None:
        """Store the new link states of batches and gap records whose links were pending."""
        real = [(lane_id, one.sequence, one.link.value) for one in judged if not one.is_gap]
        gaps = [(lane_id, one.sequence, one.through, one.link.value) for one in judged if one.is_gap]
        if real:
            await tx.driver.run_many(_LINK_BATCH, real)
        if gaps:
            await tx.driver.run_many(_LINK_GAP, gaps)

    async def unreadable(
        self, tx: Transaction, tenant_id: str, *, after: tuple[int, int], limit: int
    ) -> Sequence[HeldBatch]:
        """Return up to `limit` batches of a tenant that could not be unpacked, in the order of lane id and sequence
        number. `after` is the lane id and the sequence number after which the page begins."""
        place = (batches.c.lane_id, batches.c.sequence)
        statement = (
            select(lanes.c.gateway_id, *HELD_BATCHES.columns)
            .join(lanes, lanes.c.lane_id == batches.c.lane_id)
            .where(lanes.c.tenant_id == tenant_id, batches.c.content == Content.UNREADABLE.value)
            .where(tuple_(*place) > after)
            .order_by(*place)
            .limit(limit)
        )
        found = await tx.execute(statement)
        return [HELD_BATCHES.read(row, gateway_id=gateway_id) for gateway_id, *row in found]

    async def change_content(self, tx: Transaction, batch: HeldBatch, before: Content, after: Content) -> bool:
        """Change a payload's state from `before` to `after`. Return False if another worker has already changed it."""
        values = {"of_lane_id": batch.lane_id, "of_sequence": batch.sequence}
        return await tx.driver.run(_CHANGE_CONTENT, {**values, "before": before.value, "after": after.value}) == 1


async def _append(tx: Transaction, table: Table, rows: Sequence[dict[str, object]]) -> None:
    await tx.driver.append(table, tuple(rows[0]), [tuple(row.values()) for row in rows])


def _chained(
    sequence: int, through: int, hash_: bytes, before: bytes, after: bytes, link: str, *, is_gap: bool
) -> ChainedBatch:
    return ChainedBatch(
        sequence=sequence,
        through=through,
        hash=bytes(hash_),
        previous_hash=bytes(before),
        tail_hash=bytes(after),
        is_gap=is_gap,
        link=LinkState(link),
    )


def _batch_row(one: ReceivedBatch, stored_at_us: int) -> dict[str, object]:
    batch = one.envelope.batch
    return {
        "lane_id": one.lane_id,
        "sequence": batch.sequence,
        "kind": batch.kind.value,
        "count": batch.count,
        "created_at_us": batch.created_at_us,
        "boot_id": batch.boot_id,
        "hash": one.hash,
        "previous_hash": batch.previous_hash,
        "payload_hash": one.payload_hash,
        "signature": one.envelope.signature,
        "signed_by": one.signed_by,
        "link": one.link.value,
        "content": one.content.value,
        "organization_id": one.organization_id,
        "vehicle_id": one.vehicle_id,
        "received_at_us": one.received_at_us,
        "stored_at_us": stored_at_us,
        "historical": one.envelope.historical,
        "traceparent": one.traceparent,
        "envelope": one.octets,
    }


def _gap_row(one: ReceivedBatch, gap: Gap) -> dict[str, object]:
    return {
        "lane_id": one.lane_id,
        "sequence": gap.from_sequence,
        "through_sequence": gap.through_sequence,
        "why": gap.why.value,
        "batches": gap.batches,
        "observations": gap.observations,
        "first_us": gap.first_us,
        "last_us": gap.last_us,
        "hash": one.hash,
        "chain_before": gap.chain_before,
        "chain_after": gap.chain_after,
        "signature": one.envelope.signature,
        "signed_by": one.signed_by,
        "link": one.link.value,
        "organization_id": one.organization_id,
        "vehicle_id": one.vehicle_id,
        "received_at_us": one.received_at_us,
        "envelope": one.octets,
    }
