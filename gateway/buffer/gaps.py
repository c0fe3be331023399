"""Gap records, which replace missing rows: built, merged with their neighbours, and kept few.

A gap record states the hash before its first batch and the hash of its last batch, so the hash chain stays whole.
Adjacent gaps of one reason become one record while it spans at most an hour. Beyond `gaps_max` records the oldest are
merged whatever they span. A record that grew keeps its first sequence number, and the cloud accepts the wider record.
The reason RETENTION marks batches that the cloud has; all other reasons are losses.
"""

from dataclasses import dataclass, replace
from itertools import pairwise

from gateway.buffer.rows import Misread, Row, span_of
from gateway.buffer.sealing import Unsealable
from gateway.buffer.statements import OUTBOX, RETENTION
from gateway.buffer.store import Store
from protocols.errors import RemoteProtocolError
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import Gap, GapReason, decode_gap, encode_gap
from protocols.uplink.lanes import Lane


@dataclass(frozen=True, slots=True)
class GapRow:
    """A gap record and the row that holds it."""

    row: Row
    gap: Gap


def gap_row_before(store: Store, lane: Lane, sequence: int) -> GapRow | None:
    """Return the readable gap record that ends right before `sequence`, or None."""
    if sequence <= 1:
        return None
    columns = store.connection.execute(OUTBOX["row_covering"], span_of(lane, 0, sequence - 1)).fetchone()
    if columns is None:
        return None
    try:
        row = Row.of(columns)
        if row.kind is not BatchKind.GAP or row.through != sequence - 1:
            return None
        return GapRow(row, decode_gap(store.sealer.open(row.nonce, row.sealed, row)))
    except (Misread, Unsealable, RemoteProtocolError):
        return None  # a damaged record is repaired when it is read, and is not extended here


def stand_in(store: Store, gap: Gap, like: Row) -> Row:
    """Replace the rows in the range of `gap` by one gap record, inside a transaction. Return the new row. The new row
    has the lane, the running totals and `kept_us` of `like`, usually the last replaced row, so that differences between
    the totals of two rows stay correct."""
    lane = like.lane
    row = Row(
        lane=lane,
        sequence=gap.from_sequence,
        through=gap.through_sequence,
        kind=BatchKind.GAP,
        count=gap.observations,
        created_at_us=store.clock.wall_us(),
        kept_us=like.kept_us,
        observations_total=like.observations_total,
        bytes_total=like.bytes_total,
        boot_id=store.clock.boot_id,
        previous_hash=gap.chain_before,
        row_hash=gap.chain_after,
    )
    store.connection.execute(RETENTION["delete_rows"], span_of(lane, gap.from_sequence, gap.through_sequence))
    store.write(row, encode_gap(gap))
    return row


def touching(earlier: Gap, later: Gap) -> bool:
    """Return whether `later` follows `earlier` directly, in sequence numbers and in the hash chain."""
    return earlier.through_sequence + 1 == later.from_sequence and earlier.chain_after == later.chain_before


def merged(earlier: Gap, later: Gap) -> Gap:
    assert touching(earlier, later)
    times_us = [at for at in (earlier.first_us, earlier.last_us, later.first_us, later.last_us) if at is not None]
    return replace(
        earlier,
        through_sequence=later.through_sequence,
        batches=earlier.batches + later.batches,
        observations=earlier.observations + later.observations,
        first_us=min(times_us, default=None),
        last_us=max(times_us, default=None),
        chain_after=later.chain_after,
    )


def may_merge(earlier: Gap, later: Gap, span_us_max: int) -> bool:
    """Return whether one record may replace both gaps. They must be adjacent, of the same reason, and together at most
    `span_us_max` long, so that the time of a loss stays precise enough."""
    if earlier.why is not later.why or not touching(earlier, later):
        return False
    whole = merged(earlier, later)
    return whole.first_us is None or whole.last_us is None or whole.last_us - whole.first_us <= span_us_max


def gap_rows(store: Store, lane: Lane) -> list[GapRow]:
    """Return the readable gap records of a lane, oldest first."""
    found = []
    for columns in store.connection.execute(OUTBOX["gap_rows"], span_of(lane, 0)).fetchall():
        try:
            row = Row.of(columns)
            found.append(GapRow(row, decode_gap(store.sealer.open(row.nonce, row.sealed, row))))
        except (Misread, Unsealable, RemoteProtocolError):
            continue
    return found


def rewind(store: Store, lane: Lane, through: int) -> None:
    """Set the acknowledged sequence number of `lane` back to `through`, for a restored cloud. Batches above `through`
    that retention has dropped are now losses: their gap records get the reason CLOUD_RESTORED."""
    acked = store.heads[lane].acked
    if through >= acked:
        return
    store.set_acked(lane, through)
    try:
        with store.transaction(acks=True):
            for found in gap_rows(store, lane):
                if found.row.through > through and found.gap.why is GapReason.RETENTION:
                    stand_in(store, replace(found.gap, why=GapReason.CLOUD_RESTORED), found.row)
    except BaseException:
        store.set_acked(lane, acked)
        raise


def keep_few(store: Store, lane: Lane) -> bool:
    """Merge the oldest pair of adjacent gap records if the lane has more than `gaps_max` records; return True if
    merged. Losses are never merged with delivered batches (RETENTION). The merged record has the reason of the earlier
    record."""
    if store.connection.execute(OUTBOX["gap_count"], span_of(lane, 0)).fetchone()[0] <= store.settings.gaps_max:
        return False
    rows = gap_rows(store, lane)
    for earlier, later in pairwise(rows):
        delivered = (earlier.gap.why is GapReason.RETENTION, later.gap.why is GapReason.RETENTION)
        if not touching(earlier.gap, later.gap) or later.row.sequence == store.heads[lane].open_loss:
            continue
        if delivered[0] == delivered[1]:
            with store.transaction():
                stand_in(store, merged(earlier.gap, later.gap), later.row)
            return True
    return False
