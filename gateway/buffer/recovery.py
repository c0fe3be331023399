"""Copies the readable part of a set-aside store into a new store of the same epoch.

Each batch then keeps its identity (gateway, epoch, lane, sequence), which its hash and signature cover. The cloud
verifies the batch as if it had arrived in time, and recognises a batch that it has. If the observations were sent as
new batches of another epoch, those that the cloud has would be in the record twice.

An unreadable range becomes a gap record (DAMAGED), with the hashes on both sides and the number of lost observations,
computed from the running totals in every row. Rows are copied with their present seals.
"""

import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from gateway.buffer.database import StoreRow, create_store
from gateway.buffer.errors import BufferUnusable, Diagnosis, Trouble
from gateway.buffer.open_store import StorePlace
from gateway.buffer.recovered_store import ENDING
from gateway.buffer.rows import KIND_NUMBERS, LANE_NUMBERS, Row, batch_of, position_of, span_of
from gateway.buffer.salvage import Salvage
from gateway.buffer.sealing import SEAL_OVERHEAD_BYTES, Sealer
from gateway.buffer.set_aside import SetAside, SetAsideRecord, survey, write_record
from gateway.buffer.statements import OUTBOX, RECOVERY
from gateway.durable import flush
from protocols.provenance.hash_chain import genesis
from protocols.uplink.envelope import BatchKind
from protocols.uplink.events import EventField
from protocols.uplink.gaps import Gap, GapReason, encode_gap
from protocols.uplink.lanes import Lane

STEP_PAGES = 256
STEP_PAUSE_S = 0.05
"""Length of the pause after every `STEP_PAGES` pages of a background recovery. These pages take some ten milliseconds
of Python, so devices keep most of the processor, and four gigabytes are read in about five minutes."""


@dataclass(slots=True)
class LaneRecovery:
    """Result of the recovery of one lane: how many batches and observations were saved, and how many were lost. Gap
    records replace the lost ones."""

    batches: int = 0
    observations: int = 0
    lost_batches: int = 0
    lost_observations: int = 0


@dataclass(slots=True)
class Recovered:
    """Result of the recovery of a set-aside store. If the epoch could not be read, `epoch` is None and nothing was
    recovered."""

    epoch: str | None
    lanes: dict[Lane, LaneRecovery] = field(default_factory=dict)

    def fields(self) -> dict[str, EventField]:
        """Return the totals as fields of the event `store.recovered` and of the set-aside store's JSON record."""
        return {
            "epoch": self.epoch,
            "batches": self.batches,
            "observations": sum(lane.observations for lane in self.lanes.values()),
            "lost_batches": self.lost_batches,
            "lost_observations": sum(lane.lost_observations for lane in self.lanes.values()),
        }

    @property
    def batches(self) -> int:
        return sum(lane.batches for lane in self.lanes.values())

    @property
    def lost_batches(self) -> int:
        return sum(lane.lost_batches for lane in self.lanes.values())


def save_unsent(place: StorePlace, record: SetAsideRecord) -> Recovered:
    """Save the unsent batches of a set-aside store to `<file>.unsent`, and add the result to the JSON record of the
    set-aside store. Pauses leave processor time for the devices."""
    path = record.path
    aside = survey(path, why="", trouble=Trouble.DAMAGED)
    target = path.with_name(path.name + ENDING)
    target.unlink(missing_ok=True)
    outcome = recover(aside, target, gateway=place.gateway, key=place.key, unsent_only=True, pause_s=STEP_PAUSE_S)
    if not outcome.batches and not outcome.lost_batches:
        target.unlink(missing_ok=True)
    fields = {**record.fields, "recovered": outcome.fields()}
    write_record(path, fields)
    return outcome


def recover(
    aside: SetAside, target: Path, *, gateway: str, key: bytes, unsent_only: bool, pause_s: float = 0.0
) -> Recovered:
    """Write the readable part of `aside` into a new store at `target`. `unsent_only`: copy only what the cloud has not
    acknowledged. `pause_s`: length of the pause after every few pages. Raises FileExistsError where `target` exists,
    and BufferUnusable when the new store finds no room or cannot be written."""
    _check_room(aside, target)
    with Salvage(aside.path) as salvage:
        epoch = salvage.epoch(gateway=gateway, key=key) or aside.epoch
        if epoch is None:
            return Recovered(None)
        building = target.with_name(target.name + ".building")
        building.unlink(missing_ok=True)
        create_store(building, gateway=gateway, key=key, now_us=aside.first_us or 0, epoch=epoch)
        sealer = Sealer(key, gateway=gateway, epoch=epoch)
        try:
            with closing(sqlite3.connect(building, isolation_level=None)) as connection:
                # The file has no value before it is complete, so it is flushed once, at the end.
                connection.execute("PRAGMA synchronous = OFF")
                connection.execute("BEGIN")
                _copy(connection, salvage, sealer, aside.acked if unsent_only else {}, pause_s)
                outcome = Recovered(epoch)
                for lane in Lane:
                    outcome.lanes[lane] = _mend(connection, lane, aside, sealer, gateway, epoch)
                connection.execute("COMMIT")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
            flush(building)
            os.link(building, target)
            flush(target.parent)
        finally:
            for name in (building.name, building.name + "-wal", building.name + "-shm"):
                with suppress(OSError):
                    building.with_name(name).unlink(missing_ok=True)
    return outcome


def _check_room(aside: SetAside, target: Path) -> None:
    disk = os.statvfs(target.parent)
    if disk.f_bavail * disk.f_frsize < aside.size_bytes + (64 << 20):
        raise BufferUnusable(
            Diagnosis(
                f"There is no room beside {target} for the readable batches of {aside.path.name}.",
                "Nothing was changed; the set-aside store keeps what it holds.",
                "Make room, or copy the file to another disk and run `argus-gateway store recover` there.",
            ),
            Trouble.FULL,
        )


def _copy(
    connection: sqlite3.Connection, salvage: Salvage, sealer: Sealer, acked: Mapping[Lane, int], pause_s: float
) -> None:
    """Copy the rows that can be opened with the store's key and that the cloud has not acknowledged. Each lane's last
    acknowledged row is copied too, because the first unsent row continues from that row's hash.

    Where a batch and a gap record have the same position, the gap record is kept. Of two gap records, the longer is
    kept.
    """
    pages = 0
    for row in salvage.rows(sealer):
        if row is None:
            pages += 1
            if pause_s and pages % STEP_PAGES == 0:
                time.sleep(pause_s)
        elif row.through >= acked.get(row.lane, 0):
            # The last acknowledged row is copied too, because the first unsent row continues from its hash.
            connection.execute(RECOVERY["take"], row.columns(row.nonce, row.sealed))


def _mend(
    connection: sqlite3.Connection, lane: Lane, aside: SetAside, sealer: Sealer, gateway: str, epoch: str
) -> LaneRecovery:
    """Fill a lane's holes with gap records and write its acknowledged number. Return the saved and lost counts."""
    outcome = LaneRecovery()
    acked, known_last = aside.acked.get(lane, 0), aside.last.get(lane, 0)
    before = _Before(0, genesis(gateway, epoch, lane.value), 0, 0, 0)
    _drop_outgrown(connection, lane, aside, sealer, StoreRow(gateway, epoch, 0))
    rows = connection.execute(RECOVERY["lane"], span_of(lane, 0)).fetchall()
    for position, through, kind, count, created_at_us, observations_total, bytes_total, size, previous, after in rows:
        sequence = position - position_of(lane, 0)
        if through <= before.through:
            connection.execute(RECOVERY["drop"], (position,))  # an earlier copy of a row that a gap record replaced
            continue
        if sequence > before.through + 1 and sequence > acked + 1:
            batch = count if kind != KIND_NUMBERS[BatchKind.GAP] else 0
            # Where the hole begins among acknowledged rows, the number of its unsent observations is not known.
            whole = before.through >= acked
            lost = max(0, observations_total - batch - before.observations_total) if whole else 0
            gap = _gap(before.through + 1, sequence - 1, lost, before.hash, previous)
            totals = before.observations_total + lost, max(before.bytes_total, bytes_total - size)
            _put(connection, lane, gap, sealer, totals, before.created_at_us or created_at_us)
            outcome.lost_batches += gap.through_sequence - max(gap.from_sequence, acked + 1) + 1
            outcome.lost_observations += lost
        if kind != KIND_NUMBERS[BatchKind.GAP]:
            outcome.batches += 1
            outcome.observations += count if kind == KIND_NUMBERS[BatchKind.OBSERVATIONS] else 0
        before = _Before(through, after, observations_total, bytes_total, created_at_us)
    if known_last > max(before.through, acked):
        gap = _gap(before.through + 1, known_last, 0, before.hash, before.hash)
        _put(connection, lane, gap, sealer, (before.observations_total, before.bytes_total), before.created_at_us)
        outcome.lost_batches += known_last - max(before.through, acked)
    if acked:
        connection.execute(OUTBOX["put_acked"], (LANE_NUMBERS[lane], acked))
    return outcome


def _drop_outgrown(
    connection: sqlite3.Connection, lane: Lane, aside: SetAside, sealer: Sealer, about: StoreRow
) -> None:
    """Delete the rows from before their batch grew, of which the newest version is lost: the next row states another
    previous hash, or the marks file states more observations than the last row. A gap record then replaces the batch,
    because the cloud may hold the newest version."""
    rows = connection.execute(RECOVERY["lane"], span_of(lane, 0)).fetchall()
    for earlier, later in pairwise(rows):
        if earlier[1] + 1 != later[0] - position_of(lane, 0) or earlier[-1] == later[-2]:
            continue
        row = Row.of(connection.execute(OUTBOX["rows_from"], (earlier[0], earlier[0])).fetchone())
        # The hash column lies outside the seal, so it may be damaged itself.
        if row.kind is not BatchKind.GAP:
            computed = batch_of(row, sealer.open(row.nonce, row.sealed, row), about).hash
            if computed == later[-2]:
                connection.execute(OUTBOX["repair_hash"], (computed, earlier[0]))
            else:
                connection.execute(RECOVERY["drop"], (earlier[0],))
    position, through, kind, _, _, observations, *_ = rows[-1] if rows else (0, None, 0, 0, 0, 0)
    is_last_batch = through == aside.last.get(lane, 0) and kind != KIND_NUMBERS[BatchKind.GAP]
    if is_last_batch and observations < aside.observations.get(lane, 0):
        connection.execute(RECOVERY["drop"], (position,))


@dataclass(frozen=True, slots=True)
class _Before:
    """The preceding row while `_mend` goes through the rows of a lane. `through` is that row's last sequence number."""

    through: int
    hash: bytes
    observations_total: int
    bytes_total: int
    created_at_us: int


def _gap(first: int, through: int, observations: int, before: bytes, after: bytes) -> Gap:
    return Gap(
        from_sequence=first,
        through_sequence=through,
        why=GapReason.DAMAGED,
        batches=through - first + 1,
        observations=observations,
        first_us=None,
        last_us=None,
        chain_before=before,
        chain_after=after,
    )


def _put(
    connection: sqlite3.Connection, lane: Lane, gap: Gap, sealer: Sealer, totals: tuple[int, int], created_at_us: int
) -> None:
    """Write a gap record. `created_at_us` is the creation time of the preceding row, which is closer to the time of the
    loss than the time of the recovery is."""
    row = Row(
        lane=lane,
        sequence=gap.from_sequence,
        through=gap.through_sequence,
        kind=BatchKind.GAP,
        count=gap.observations,
        created_at_us=created_at_us,
        kept_us=0,
        observations_total=totals[0],
        bytes_total=totals[1] + SEAL_OVERHEAD_BYTES,
        boot_id="recovered",
        previous_hash=gap.chain_before,
        row_hash=gap.chain_after,
    )
    connection.execute(OUTBOX["replace_batch"], row.columns(*sealer.seal(encode_gap(gap), row)))
