"""Gap records for observations that a full store refused and that no device keeps: counted, durable, and sent.

A live value that cannot be stored is lost. Its gap record takes the next sequence number of its lane, covers only this
number, and leaves the chain's hash unchanged. While the store stays full, one record grows in place for at most a
minute. A record is sent only after it has stopped growing, so the cloud never gets an incomplete count.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

from gateway.buffer.blocks import by_lane_of
from gateway.buffer.gaps import gap_row_before, stand_in
from gateway.buffer.lanes import LaneHead
from gateway.buffer.rows import Row
from gateway.buffer.store import Store
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import Gap, GapReason
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations

OPEN_S_MAX = 60.0
"""Time for which one record may grow before it is closed and sent."""


@dataclass(frozen=True, slots=True)
class Loss:
    """Lost observations of one lane, which were received between the wall times `first_us` and `last_us`."""

    lane: Lane
    observations: int
    first_us: int
    last_us: int


def losses_of(sections: Iterable[DeviceObservations]) -> list[Loss]:
    """Return one loss for each lane (queue of batches), with the observations that are lost when `sections` are
    refused."""
    found: dict[Lane, Loss] = {}
    for section in sections:
        for lane, part in by_lane_of(section):
            at_us = [section.wall_offset_us + int(o.received_s * 1_000_000) for o in part.observations]
            loss = Loss(lane, len(at_us), min(at_us), max(at_us))
            found[lane] = _sum(found[lane], loss) if lane in found else loss
    return list(found.values())


def sums(losses: Iterable[Loss]) -> list[Loss]:
    """Add up the losses of each lane; return one loss for each lane."""
    by_lane: dict[Lane, Loss] = {}
    for loss in losses:
        by_lane[loss.lane] = _sum(by_lane[loss.lane], loss) if loss.lane in by_lane else loss
    return list(by_lane.values())


def record(store: Store, losses: Iterable[Loss], why: GapReason = GapReason.STORE_FULL) -> None:
    """Write durable gap records with the reason `why`. Raises StoreFull when even the reserve is used up."""
    ends: dict[Lane, Row] = {}
    with store.transaction():
        for loss in sums(losses):
            lane, head = loss.lane, store.heads[loss.lane]
            gap = _grown(store, head, loss, why) or _new(head, loss, why)
            row = stand_in(store, gap, _like(store, head, gap))
            if gap.from_sequence > head.last:
                ends[lane] = row
    for lane in ends:
        store.heads[lane].open_loss = ends[lane].sequence
        store.heads[lane].open_loss_since_s = store.clock.monotonic_s()
    store.advance(ends)


def close(store: Store, *, all_of_them: bool) -> bool:
    """Stop the growth of gap records, so that they are sent. If `all_of_them` is False, stop only the records that have
    grown for `OPEN_S_MAX` seconds. Return True if the growth of a record was stopped."""
    closed = False
    for head in store.heads.values():
        aged = store.clock.monotonic_s() - head.open_loss_since_s >= OPEN_S_MAX
        if head.open_loss and (all_of_them or aged):
            head.open_loss = 0
            closed = True
    return closed


def _new(head: LaneHead, loss: Loss, why: GapReason) -> Gap:
    return Gap(
        from_sequence=head.last + 1,
        through_sequence=head.last + 1,
        why=why,
        batches=0,
        observations=loss.observations,
        first_us=loss.first_us,
        last_us=loss.last_us,
        chain_before=head.tip,
        chain_after=head.tip,
    )


def _grown(store: Store, head: LaneHead, loss: Loss, why: GapReason) -> Gap | None:
    if not head.open_loss or head.open_loss != head.last:
        return None
    found = gap_row_before(store, head.lane, head.last + 1)
    if found is None or found.gap.why is not why:
        return None
    gap = found.gap
    return replace(
        gap,
        observations=gap.observations + loss.observations,
        first_us=loss.first_us if gap.first_us is None else min(gap.first_us, loss.first_us),
        last_us=loss.last_us if gap.last_us is None else max(gap.last_us, loss.last_us),
    )


def _like(store: Store, head: LaneHead, gap: Gap) -> Row:
    return Row(
        lane=head.lane,
        sequence=gap.from_sequence,
        through=gap.through_sequence,
        kind=BatchKind.GAP,
        count=0,
        created_at_us=0,
        kept_us=store.time.now_us(),
        observations_total=head.observations_total,
        bytes_total=head.bytes_total,
        boot_id="",
        previous_hash=gap.chain_before,
        row_hash=gap.chain_after,
    )


def _sum(one: Loss, other: Loss) -> Loss:
    return Loss(
        one.lane,
        one.observations + other.observations,
        min(one.first_us, other.first_us),
        max(one.last_us, other.last_us),
    )
