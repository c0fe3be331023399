"""The database rows of the hash chain: batches, gap records, and the states of their links.

Batches that lie in packed objects have no row of their own: the run that they belong to has their hashes (slice
`waveforms`). Those of the waveform lane never had one, and those of numerics had one for some days (slice `packing`).
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Table,
    Text,
    and_,
    bindparam,
    literal_column,
    not_,
    select,
    tuple_,
    union_all,
    update,
)

from cloud.clinical.waveforms import WaveformIndex, is_near_run, waveform_runs
from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given
from cloud.vehicles.custody.links import ChainedBatch, LinkState
from cloud.vehicles.custody.marks import Range
from cloud.vehicles.custody.tables import IN_ENVELOPE, batches, gap_ranges, lanes
from protocols.provenance.hash_chain import HASH_BYTES
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
    REMOVED = "removed"
    """The envelope was removed after its retention period, or erased. The row stays for the link of the next batch."""


NOT_UNPACKED = (Content.UNREADABLE, Content.KEPT)
"""States of batches that a later release may be able to unpack."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedBatch:
    """A verified batch to add to the chain. `staged_at_us` is when it was durable, if that was before its rows."""

    lane_id: int
    envelope: Envelope
    octets: bytes
    hash: bytes
    link: LinkState
    content: Content
    organization_id: str
    vehicle_id: str
    received_at_us: int
    traceparent: str | None
    staged_at_us: int | None = None


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

_near = GivenRows("near", lane_id=BigInteger(), low=BigInteger(), high=BigInteger())


def _is_near(lane_id: ColumnElement[int], sequence: ColumnElement[int]) -> ColumnElement[bool]:
    return and_(lane_id == _near.c("lane_id"), sequence.between(_near.c("low"), _near.c("high")))


_IS_BATCH, _IS_GAP, _IS_RUN = range(3)
_batch = select(
    batches.c.lane_id,
    batches.c.sequence,
    batches.c.sequence,
    batches.c.hash,
    batches.c.previous_hash,
    batches.c.hash,
    batches.c.link,
    literal_column(str(_IS_BATCH)),
).where(_is_near(batches.c.lane_id, batches.c.sequence))
_gap = select(
    gap_ranges.c.lane_id,
    gap_ranges.c.sequence,
    gap_ranges.c.through_sequence,
    gap_ranges.c.hash,
    gap_ranges.c.chain_before,
    gap_ranges.c.chain_after,
    gap_ranges.c.link,
    literal_column(str(_IS_GAP)),
)
_run = select(
    waveform_runs.c.lane_id,
    waveform_runs.c.sequence,
    waveform_runs.c.through_sequence,
    waveform_runs.c.hashes,
    waveform_runs.c.previous_hash,
    waveform_runs.c.hashes,
    waveform_runs.c.link,
    literal_column(str(_IS_RUN)),
).where(is_near_run(_near))
# One look-up in an index for each given range. With OR instead of the third part, all gap records of a lane were read.
_NEIGHBOURS = Prepared(
    union_all(
        _batch,
        _gap.where(_is_near(gap_ranges.c.lane_id, gap_ranges.c.sequence)),
        _gap.where(
            _is_near(gap_ranges.c.lane_id, gap_ranges.c.through_sequence),
            not_(gap_ranges.c.sequence.between(_near.c("low"), _near.c("high"))),
        ),
        _run,
    )
)
_judged = GivenRows("judged", lane_id=BigInteger(), sequence=BigInteger(), through=BigInteger(), link=Text())
_LINK_BATCHES = Prepared(
    update(batches)
    .where(batches.c.lane_id == _judged.c("lane_id"), batches.c.sequence == _judged.c("sequence"))
    .values(link=_judged.c("link"))
)
_LINK_GAPS = Prepared(
    update(gap_ranges)
    .where(
        gap_ranges.c.lane_id == _judged.c("lane_id"),
        gap_ranges.c.sequence == _judged.c("sequence"),
        gap_ranges.c.through_sequence == _judged.c("through"),
    )
    .values(link=_judged.c("link"))
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


class CustodyStore:
    """SQL statements on the hash chain."""

    async def neighbours(self, tx: Transaction, wanted: Mapping[int, Collection[int]]) -> dict[int, list[ChainedBatch]]:
        """Return the batches and gap records that begin or end at the wanted sequence numbers, in one statement.
        `wanted` maps the id of each lane to the sequence numbers, and the result the id to the lane's batches."""
        ranges = [
            (lane_id, low, high) for lane_id in sorted(wanted) for low, high in _adjacent(sorted(wanted[lane_id]))
        ]
        found: dict[int, list[ChainedBatch]] = {lane_id: [] for lane_id in wanted}
        rows = await tx.driver.rows(_NEIGHBOURS, {"near": given(ranges)}) if ranges else ()
        for lane_id, *row, kind in dict.fromkeys(map(tuple, rows)):
            if kind == _IS_RUN:
                found[lane_id].extend(_in_run(*row, wanted=wanted[lane_id]))
            else:
                found[lane_id].append(_chained(*row, is_gap=kind == _IS_GAP))
        return found

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

    async def resolve(self, tx: Transaction, judged: Sequence[tuple[int, ChainedBatch]]) -> None:
        """Store the new link states of batches and gap records whose links were pending, each given with its lane id.
        A batch that is given twice gets its last state."""
        for statement, is_gap in ((_LINK_BATCHES, False), (_LINK_GAPS, True)):
            links = {
                (lane_id, one.sequence, one.through): one.link.value for lane_id, one in judged if one.is_gap is is_gap
            }
            if links:
                await tx.driver.run(statement, {"judged": given([(*place, link) for place, link in links.items()])})
        real = {(lane_id, one.sequence): one.link.value for lane_id, one in judged if not one.is_gap}
        await WaveformIndex().resolve(tx, [(*place, link) for place, link in real.items()])

    async def unreadable(
        self, tx: Transaction, tenant_id: str, *, after: tuple[int, int], limit: int
    ) -> Sequence[HeldBatch]:
        """Return up to `limit` batches of a tenant that could not be unpacked, in the order of lane id and sequence
        number. `after` is the lane id and the sequence number after which the page begins."""
        place = (batches.c.lane_id, batches.c.sequence)
        statement = (
            select(lanes.c.gateway_id, *HELD_BATCHES.columns)
            .join(lanes, lanes.c.lane_id == batches.c.lane_id)
            .where(lanes.c.tenant_id == tenant_id, batches.c.content.in_([one.value for one in NOT_UNPACKED]))
            .where(tuple_(*place) > after)
            .order_by(*place)
            .limit(limit)
        )
        found = await tx.execute(statement)
        return [HELD_BATCHES.read(row, gateway_id=gateway_id) for gateway_id, *row in found]

    async def begin_rows(self, tx: Transaction, batch: HeldBatch) -> bool:
        """Change the state of a batch that was not unpacked to `ROWS`. Return False if another worker has done it."""
        for before in NOT_UNPACKED:
            if await self.change_content(tx, batch, before, Content.ROWS):
                return True
        return False

    async def change_content(self, tx: Transaction, batch: HeldBatch, before: Content, after: Content) -> bool:
        """Change a payload's state from `before` to `after`. Return False if another worker has already changed it."""
        values = {"of_lane_id": batch.lane_id, "of_sequence": batch.sequence}
        return await tx.driver.run(_CHANGE_CONTENT, {**values, "before": before.value, "after": after.value}) == 1


def _adjacent(sequences: Sequence[int]) -> Iterator[Range]:
    """Yield the ascending sequence numbers as ranges without holes."""
    first = last = None
    for sequence in sequences:
        if last is not None and first is not None and sequence > last + 1:
            yield first, last
            first = None
        first, last = sequence if first is None else first, sequence
    if first is not None and last is not None:
        yield first, last


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


def _in_run(
    first: int, through: int, hashes: bytes, before: bytes, _: bytes, link: str, *, wanted: Collection[int]
) -> Iterator[ChainedBatch]:
    """Yield the wanted batches of a packed run. `hashes` are the chain hashes of all its batches; each
    follows its predecessor, and `link` is the state of the first."""
    for sequence in wanted:
        if first <= sequence <= through:
            at = (sequence - first) * HASH_BYTES
            own = hashes[at : at + HASH_BYTES]
            previous = before if sequence == first else hashes[at - HASH_BYTES : at]
            state = link if sequence == first else LinkState.LINKED
            yield _chained(sequence, sequence, own, previous, own, state, is_gap=False)


def _batch_row(one: ReceivedBatch, stored_at_us: int) -> dict[str, object]:
    batch = one.envelope.batch
    return {
        "lane_id": one.lane_id,
        "sequence": batch.sequence,
        "kind": batch.kind.value,
        "count": batch.count,
        "created_at_us": batch.created_at_us,
        "boot_id": IN_ENVELOPE["boot_id"],
        "hash": one.hash,
        "previous_hash": batch.previous_hash,
        "payload_hash": IN_ENVELOPE["payload_hash"],
        "signature": IN_ENVELOPE["signature"],
        "signed_by": IN_ENVELOPE["signed_by"],
        "link": one.link.value,
        "content": one.content.value,
        "organization_id": one.organization_id,
        "vehicle_id": one.vehicle_id,
        "received_at_us": one.received_at_us,
        "stored_at_us": stored_at_us if one.staged_at_us is None else one.staged_at_us,
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
        "signature": IN_ENVELOPE["signature"],
        "signed_by": IN_ENVELOPE["signed_by"],
        "link": one.link.value,
        "organization_id": one.organization_id,
        "vehicle_id": one.vehicle_id,
        "received_at_us": one.received_at_us,
        "envelope": one.octets,
    }
