"""Drops batches whose retention time has passed or that exceed the disk budget, in steps that delay no commit for long.

After the retention time only acknowledged batches are dropped. Over the disk budget, the order is: acknowledged batches
of any lane, then the oldest waveforms, then the oldest numerics; never an unacknowledged event or ePCR. Batches of a
care record that is not sealed stay although they are acknowledged (`care_logs`), and so does the ePCR lane behind them,
because a lane is dropped from its beginning; the changes of a month take some megabytes. A gap record
replaces dropped batches. If they were unacknowledged, the uplink sends the gap record in their place. If they were
acknowledged, the gap record is sent only when a restored cloud requests the range again.

Waveforms are dropped whole and not thinned first («decimated waveform», DESIGN D2). A thinned waveform would be a new
batch at the end of its signed lane, with older data than the batches before it, so the lane would no longer be in the
order of device time. Every reader would also have to know which channels were thinned.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import structlog

from gateway.buffer import care_logs
from gateway.buffer.damage import heal, readable
from gateway.buffer.gaps import gap_row_before, keep_few, may_merge, merged, stand_in
from gateway.buffer.rows import SEQUENCE_MASK, Misread, Row, span_of
from gateway.buffer.statements import OUTBOX, RETENTION
from gateway.buffer.store import Store
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import Gap, GapReason
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

STEP_ROWS = 64
STEP_BYTES = 2 << 20
"""Upper bound on the bytes that one step frees. A step takes some milliseconds, and pending commits follow before the
next step."""

ACKED_ORDER = (Lane.WAVEFORM, Lane.NUMERIC, Lane.EPCR, Lane.EVENT)
LOSS_ORDER = (Lane.WAVEFORM, Lane.NUMERIC)


@dataclass(frozen=True, slots=True)
class Usage:
    """Size of the database file in pages. `used` excludes free pages."""

    pages: int
    used: int
    page_bytes: int

    @property
    def used_bytes(self) -> int:
        return self.used * self.page_bytes


def usage(store: Store) -> Usage:
    """Return the present size of the store's file, without its log."""
    pages, free, page_bytes = (
        int(store.connection.execute(f"PRAGMA {name}").fetchone()[0])
        for name in ("page_count", "freelist_count", "page_size")
    )
    return Usage(pages, pages - free, page_bytes)


def retain(store: Store) -> bool:
    """Take one bounded step of retention. Return True when another step is due."""
    over = store.time.now_us() - int(store.settings.retention_s * 1_000_000)
    for lane in ACKED_ORDER:
        if _drop(store, lane, through=store.heads[lane].acked, kept_before_us=over, why=GapReason.RETENTION):
            return True
    excess = usage(store).used_bytes - store.settings.disk_budget_bytes
    if excess > 0 and free(store, LOSS_ORDER, excess):
        return True
    return any(keep_few(store, lane) for lane in Lane)


def free(store: Store, losses: tuple[Lane, ...], octets: int = STEP_BYTES) -> bool:
    """Drop up to `octets` bytes in the drop order (DESIGN D2): acknowledged batches, then unacknowledged batches of the
    lanes in `losses`. Return False when there is nothing left that may be dropped."""
    delivered = ((lane, store.heads[lane].acked, GapReason.RETENTION) for lane in ACKED_ORDER)
    undelivered = ((lane, SEQUENCE_MASK, GapReason.DISK_BUDGET) for lane in losses)
    return any(
        _drop(store, lane, through=through, why=why, octets=min(octets, STEP_BYTES))
        for lane, through, why in (*delivered, *undelivered)
    )


def _drop(
    store: Store,
    lane: Lane,
    *,
    through: int,
    why: GapReason,
    octets: int = STEP_BYTES,
    kept_before_us: int | None = None,
) -> bool:
    """Replace about `octets` bytes of a lane's oldest batches, at most up to the sequence number `through`, by a gap
    record. `kept_before_us`: only batches stored before this time of the store's running clock. Return False when no
    batch is dropped."""
    head = store.heads[lane]
    through = min(through, head.complete)
    if lane is Lane.EPCR and (held_from := care_logs.held_from(store)) is not None:
        through = min(through, held_from - 1)
    if not head.first or head.first > through:
        return False
    columns = store.connection.execute(
        RETENTION["oldest_rows"], (*span_of(lane, head.first, through), STEP_ROWS)
    ).fetchall()
    try:
        rows = list(_leading(head.first, head.bytes_dropped + octets, columns, kept_before_us))
    except Misread:
        heal(store, lane, head.first)
        return True
    if not rows:
        return False
    before = gap_row_before(store, lane, head.first)
    gap = Gap(
        from_sequence=rows[0].sequence,
        through_sequence=rows[-1].sequence,
        why=why,
        batches=len(rows),
        observations=sum(row.count for row in rows if row.kind is BatchKind.OBSERVATIONS),
        first_us=min(row.created_at_us for row in rows),
        last_us=max(row.created_at_us for row in rows),
        chain_before=before.gap.chain_after if before else rows[0].previous_hash,
        chain_after=_hash_behind(store, rows[-1]),
    )
    if before is not None and may_merge(before.gap, gap, int(store.settings.gap_span_s * 1_000_000)):
        gap = merged(before.gap, gap)
    with store.transaction():
        stand_in(store, gap, rows[-1])
    store.refresh_first(head)
    if why is not GapReason.RETENTION:
        log.warning("buffer.batches_dropped", lane=lane.value, batches=len(rows), why=why.value)
    return True


def _hash_behind(store: Store, row: Row) -> bytes:
    """Return the chain hash after `row`, which is about to be dropped. If the next row is readable, the hash is taken
    from there: the seal of a row covers the previous hash, and does not cover the row's own hash."""
    head = store.heads[row.lane]
    if row.through == head.last:
        return head.tip
    columns = store.connection.execute(OUTBOX["rows_from"], span_of(row.lane, row.through + 1)).fetchone()
    if columns is not None and columns[9] != row.row_hash and readable(store, columns):
        behind: bytes = columns[9]
        return behind
    return row.row_hash


def _leading(
    first: int, bytes_until: int, columns: list[tuple[object, ...]], kept_before_us: int | None
) -> Iterator[Row]:
    """Yield the rows at the beginning of `columns` that may be dropped together: batches with consecutive sequence
    numbers from `first` on, stored before `kept_before_us`. Stop after the row whose running total of bytes reaches
    `bytes_until`. Raises Misread when the first row is damaged."""
    for number, found in enumerate(columns):
        try:
            row = Row.of(found)
        except Misread:
            if number == 0:
                raise
            return
        if row.sequence != first + number or row.kind is BatchKind.GAP:
            return
        if kept_before_us is not None and row.kept_us >= kept_before_us:
            return
        yield row
        if row.bytes_total >= bytes_until:
            return
