"""The rows of the chain: batches, gaps, and the states of their links."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import BigInteger, bindparam, or_, select, tuple_, update

from cloud.foundation.db import Prepared, Transaction
from cloud.vehicles.custody.links import ChainedBatch, LinkState
from cloud.vehicles.custody.tables import batches, gap_ranges, lanes
from protocols.uplink.envelope import Envelope
from protocols.uplink.gaps import Gap


class Content(StrEnum):
    """State of a batch's payload."""

    ROWS = "rows"
    """The payload has rows of its own."""
    KEPT = "kept"
    """No slice reads this kind of batch yet."""
    UNREADABLE = "unreadable"
    """The payload could not be read, was above a limit, or took too long to write; quarantine has the reason."""
    PARKED = "parked"
    """The gateway was over a quota; the batch gets its rows when the quota allows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """An authentic batch to add to the chain. `signed_by` is the fingerprint of the key that verified it."""

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
    """A batch that is held without rows, with its organisation and vehicle at arrival."""

    lane_id: int
    sequence: int
    gateway_id: str
    organization_id: str
    vehicle_id: str
    hash: bytes
    received_at_us: int
    octets: bytes


BATCH_COLUMNS = (
    "lane_id",
    "sequence",
    "kind",
    "count",
    "created_at_us",
    "boot_id",
    "hash",
    "previous_hash",
    "payload_hash",
    "signature",
    "signed_by",
    "link",
    "content",
    "organization_id",
    "vehicle_id",
    "received_at_us",
    "stored_at_us",
    "historical",
    "traceparent",
    "envelope",
)

GAP_COLUMNS = (
    "lane_id",
    "sequence",
    "through_sequence",
    "why",
    "batches",
    "observations",
    "first_us",
    "last_us",
    "hash",
    "chain_before",
    "chain_after",
    "signature",
    "signed_by",
    "link",
    "organization_id",
    "vehicle_id",
    "received_at_us",
    "envelope",
)

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

# A run of sequences is read as a range, scattered ones by sequence: two that are far apart must not read those between.
_RANGE_SPARSITY_MAX = 4


class CustodyStore:
    """The statements about the chain."""

    async def neighbours(self, tx: Transaction, lane_id: int, sequences: Collection[int]) -> list[ChainedBatch]:
        """Return the batches at these sequences and the gaps that begin or end there (others may be among them)."""
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
            *(_held_batch(sequence, hash_, before, link) for sequence, hash_, before, link in found),
            *(_held_gap(*row) for row in gaps),
        ]

    async def append(
        self,
        tx: Transaction,
        received: Sequence[ReceivedBatch],
        gaps: Sequence[tuple[ReceivedBatch, Gap]],
        *,
        stored_at_us: int,
    ) -> None:
        """Add new batches and new gaps; one that is held already fails the whole call. `stored_at_us` is the present
        time by the cloud's clock.
        """
        if received:
            await tx.driver.append(batches, BATCH_COLUMNS, [_batch_row(one, stored_at_us) for one in received])
        if gaps:
            await tx.driver.append(gap_ranges, GAP_COLUMNS, [_gap_row(one, gap) for one, gap in gaps])

    async def resolve(self, tx: Transaction, lane_id: int, judged: Sequence[ChainedBatch]) -> None:
        """Store the new states of links that were pending."""
        real = [(lane_id, one.sequence, one.link.value) for one in judged if not one.is_gap]
        gaps = [(lane_id, one.sequence, one.through, one.link.value) for one in judged if one.is_gap]
        if real:
            await tx.driver.run_many(_LINK_BATCH, real)
        if gaps:
            await tx.driver.run_many(_LINK_GAP, gaps)

    async def unreadable(
        self, tx: Transaction, tenant_id: str, *, after: tuple[int, int], limit: int
    ) -> Sequence[HeldBatch]:
        """Return batches whose payload could not be unpacked, in the order of lane and sequence, after the given
        position.
        """
        place = (batches.c.lane_id, batches.c.sequence)
        statement = (
            select(batches, lanes.c.gateway_id)
            .join(lanes, lanes.c.lane_id == batches.c.lane_id)
            .where(lanes.c.tenant_id == tenant_id, batches.c.content == Content.UNREADABLE.value)
            .where(tuple_(*place) > after)
            .order_by(*place)
            .limit(limit)
        )
        return [held_batch(row) for row in await tx.execute(statement)]

    async def change_content(self, tx: Transaction, batch: HeldBatch, before: Content, after: Content) -> bool:
        """Change the state of a batch's payload; False when it is not `before`, since another worker changed it."""
        values = {"of_lane_id": batch.lane_id, "of_sequence": batch.sequence}
        return await tx.driver.run(_CHANGE_CONTENT, {**values, "before": before.value, "after": after.value}) == 1


def held_batch(row: Any) -> HeldBatch:
    """Build a `HeldBatch` from a row of `batches` with its lane's gateway."""
    return HeldBatch(
        lane_id=row.lane_id,
        sequence=row.sequence,
        gateway_id=row.gateway_id,
        organization_id=row.organization_id,
        vehicle_id=row.vehicle_id,
        hash=bytes(row.hash),
        received_at_us=row.received_at_us,
        octets=bytes(row.envelope),
    )


def _held_batch(sequence: int, hash_: bytes, previous_hash: bytes, link: str) -> ChainedBatch:
    own = bytes(hash_)
    return ChainedBatch(
        sequence=sequence,
        through=sequence,
        hash=own,
        previous_hash=bytes(previous_hash),
        tail_hash=own,
        is_gap=False,
        link=LinkState(link),
    )


def _held_gap(sequence: int, through: int, hash_: bytes, before: bytes, after: bytes, link: str) -> ChainedBatch:
    return ChainedBatch(
        sequence=sequence,
        through=through,
        hash=bytes(hash_),
        previous_hash=bytes(before),
        tail_hash=bytes(after),
        is_gap=True,
        link=LinkState(link),
    )


def _batch_row(one: ReceivedBatch, stored_at_us: int) -> tuple[object, ...]:
    batch = one.envelope.batch
    return (
        one.lane_id,
        batch.sequence,
        batch.kind.value,
        batch.count,
        batch.created_at_us,
        batch.boot_id,
        one.hash,
        batch.previous_hash,
        one.payload_hash,
        one.envelope.signature,
        one.signed_by,
        one.link.value,
        one.content.value,
        one.organization_id,
        one.vehicle_id,
        one.received_at_us,
        stored_at_us,
        one.envelope.historical,
        one.traceparent,
        one.octets,
    )


def _gap_row(one: ReceivedBatch, gap: Gap) -> tuple[object, ...]:
    return (
        one.lane_id,
        gap.from_sequence,
        gap.through_sequence,
        gap.why.value,
        gap.batches,
        gap.observations,
        gap.first_us,
        gap.last_us,
        one.hash,
        gap.chain_before,
        gap.chain_after,
        one.envelope.signature,
        one.signed_by,
        one.link.value,
        one.organization_id,
        one.vehicle_id,
        one.received_at_us,
        one.octets,
    )
