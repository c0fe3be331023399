"""Blocks that cannot be read: moved to quarantine, reported, and replaced by gap records, so that none blocks its lane.

A block is damaged when its seal does not open (a bit changed in the payload or in any field beside it), when a field
holds an impossible value, or when its row is missing. The hash chain continues, because the next row of the lane also
contains the damaged batch's hash, protected by the next row's own seal. The hash of a lane's last batch is taken from
memory or, at start, from the damaged row.

`database.py` handles damage of the file's structure: a damaged page is an error of SQLite and ends work on the store.
"""

from collections.abc import Sequence
from typing import Any

import structlog

from gateway.buffer.errors import StoreFull
from gateway.buffer.gaps import stand_in
from gateway.buffer.rows import Misread, Row, batch_of, position_of, span_of
from gateway.buffer.sealing import Unsealable
from gateway.buffer.statements import OUTBOX, RETENTION
from gateway.buffer.store import Store
from protocols.errors import RemoteProtocolError
from protocols.provenance.hash_chain import HASH_BYTES, genesis
from protocols.uplink.envelope import BatchKind
from protocols.uplink.gaps import Gap, GapReason, decode_gap
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

QUARANTINE_ROWS_MAX = 64
"""Maximum number of rows in quarantine, some megabytes: a failing disk must not fill the store with damaged rows."""


def heal(store: Store, lane: Lane, sequence: int) -> None:
    """Read the row at `sequence` again. If the row cannot be read, replace it by a gap record. Raises StoreFull."""
    base = position_of(lane, 0)
    covering = store.connection.execute(OUTBOX["row_covering"], span_of(lane, 0, sequence)).fetchone()
    found = covering if covering is not None and covering[0] - base == sequence else None
    if found is not None and readable(store, found):
        return
    if found is None and covering is not None and _covers(covering, sequence):
        return  # repaired or dropped since
    before = _row_before(store, lane, sequence)
    after = store.connection.execute(OUTBOX["previous_hash_after"], span_of(lane, sequence + 1)).fetchone()
    head = store.heads[lane]
    through = after[0] - base - 1 if after else max(sequence, head.last)
    chain_before = before.row_hash if before else genesis(store.about.gateway, store.about.epoch, lane.value)
    stated = _stated_hash(found)
    # At the end of a lane the hash is in memory. Before `resume`, memory has it from the row, the best source then.
    chain_after = after[1] if after else head.tip if head.last == through else stated
    if not isinstance(chain_after, bytes) or len(chain_after) != HASH_BYTES:
        chain_after = chain_before
    gap = Gap(
        from_sequence=sequence,
        through_sequence=through,
        why=GapReason.DAMAGED,
        batches=through - sequence + 1,
        observations=_stated_count(found),
        first_us=None,
        last_us=None,
        chain_before=chain_before,
        chain_after=chain_after,
    )
    like = Row(
        lane=lane,
        sequence=sequence,
        through=through,
        kind=BatchKind.GAP,
        count=0,
        created_at_us=0,
        kept_us=before.kept_us if before else 0,
        observations_total=before.observations_total if before else 0,
        bytes_total=before.bytes_total if before else 0,
        boot_id="",
        previous_hash=chain_before,
        row_hash=chain_after,
    )
    with store.transaction():
        if found is not None:
            reason = "the seal does not open" if stated is not None else "a field holds what it cannot"
            aside = (found[0], store.clock.wall_us(), reason, _blob(found[11]), _blob(found[12]))
            store.connection.execute(RETENTION["put_quarantine"], aside)
            store.connection.execute(RETENTION["trim_quarantine"], (QUARANTINE_ROWS_MAX,))
        stand_in(store, gap, like)
    if not after:
        head.last, head.tip = through, chain_after
        head.observations_total, head.bytes_total = like.observations_total, like.bytes_total
    store.refresh_first(head)
    log.error("buffer.block_damaged", lane=lane.value, first=sequence, through=through)
    try:
        store.commit([store.event("store.block_damaged", lane=lane.value, first=sequence, through=through)])
    except StoreFull:
        log.warning("buffer.event_unstored", name="store.block_damaged")  # the gap record itself shows the damage too


def heal_ends(store: Store) -> None:
    """Check and repair the last row of each lane, before the first append continues the hash chain from there."""
    for lane in Lane:
        columns = store.connection.execute(OUTBOX["row_covering"], span_of(lane, 0)).fetchone()
        if columns is None:
            continue
        if not readable(store, columns):
            heal(store, lane, columns[0] - position_of(lane, 0))
        elif (computed := computed_hash(store, columns)) != columns[10]:
            # Only this column lies outside the seal, because it follows from the sealed content.
            log.error("buffer.hash_repaired", lane=lane.value)
            with store.transaction():
                store.connection.execute(OUTBOX["repair_hash"], (computed, columns[0]))


def computed_hash(store: Store, columns: Sequence[Any]) -> bytes:
    """Return the chain hash of a readable row. For a batch the hash is computed from the batch. For a gap record it is
    the value of the row's hash column."""
    row = Row.of(columns)
    if row.kind is BatchKind.GAP:
        return row.row_hash
    return batch_of(row, store.sealer.open(row.nonce, row.sealed, row), store.about).hash


def readable(store: Store, columns: Sequence[Any]) -> bool:
    """Return whether the sealed (encrypted) content of a row can be opened with the store's key. For a gap record, the
    content must also agree with the row's hash column."""
    try:
        row = Row.of(columns)
        payload = store.sealer.open(row.nonce, row.sealed, row)
        return row.kind is not BatchKind.GAP or decode_gap(payload).chain_after == row.row_hash
    except (Misread, Unsealable, RemoteProtocolError):
        return False


def _row_before(store: Store, lane: Lane, sequence: int) -> Row | None:
    columns = store.connection.execute(OUTBOX["row_covering"], span_of(lane, 0, sequence - 1)).fetchone()
    try:
        return Row.of(columns) if columns is not None and sequence > 1 else None
    except Misread:
        return None


def _covers(columns: Sequence[Any], sequence: int) -> bool:
    try:
        row = Row.of(columns)
    except Misread:
        return False
    return row.sequence <= sequence <= row.through


def _stated_hash(columns: Sequence[Any] | None) -> bytes | None:
    stated = columns[10] if columns is not None else None
    return stated if isinstance(stated, bytes) and len(stated) == HASH_BYTES else None


def _stated_count(columns: Sequence[Any] | None) -> int:
    stated = columns[3] if columns is not None else 0
    return stated if isinstance(stated, int) and 0 <= stated < 1 << 32 else 0


def _blob(found: object) -> bytes | None:
    return found if isinstance(found, bytes) else None
