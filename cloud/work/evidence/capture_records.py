"""Records of 12-lead captures: which batches have the waveforms of a capture, and whether these are all.

A capture is a change in the log of the report (the elements `vitals.ecg_type` and `devices.event`), which arrives in
the lane `epcr`. Its record follows when its waveforms are stored: a report often arrives before them, since waveforms
are written minutes after they were acknowledged, and after an outage in the order of the lanes. They are stored once
the lane `waveform` of the same store has, without a hole, a batch that was made after them, and none of its batches is
parked. A monitor may have been switched off, so the record waits `CAPTURE_WAIT_US` at most.

`complete` states that the record names all batches with waveforms of the capture. It is false if they did not arrive,
if the vehicle dropped some, if the cloud could not read some, if the record has no room for them, or if a new store may
have replaced that of the waveforms before the report entered it: what the former one had not sent is then lost.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import ColumnElement, and_, or_, select

from cloud.clinical.epcr import CareLog, Encounter, care_changes
from cloud.clinical.observations import observation_sources, observations
from cloud.clinical.waveforms import waveform_runs, waveform_sources
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.vehicles.custody import WITHOUT_ROWS, batches, gap_ranges, lanes, quarantined_batches
from cloud.vehicles.fleet import gateways
from cloud.vehicles.ingest import ParkingStore
from cloud.work.evidence.encounters import CLOUD
from cloud.work.evidence.recorder import Document, Entry
from cloud.work.evidence.report_records import CHANGES_MAX, ReportBatches, place_of
from protocols.epcr.change import Action, FieldChange
from protocols.provenance.transcript import ActorKind, Operation
from protocols.uplink.lanes import Lane

CAPTURES_MAX = 32
"""Records of 12-lead captures in one turn, and of those in one batch. The next turn continues with the next batch. If
one batch has more, its last record has the number of the others (`captures_left_out`)."""
CAPTURE_WAIT_US = 6 * 3_600_000_000
"""Time for which a capture waits for its waveforms after its report arrived."""
RUNS_MAX = 64
"""Ranges of batches with the waveforms of one capture."""
ROWS_MAX = 16_384
"""Batches of the vehicle around the time of a capture that are looked at, in rows: a vehicle makes a few a second."""
CAPTURE_US = 10_000_000
"""A printed 12-lead ECG shows ten seconds. The time of a capture is that of its end or of its beginning, so waveforms
of as much before and after are referenced."""
BATCH_US = 2_000_000
"""Time of waveforms in one batch, at most."""
TIME_US_MAX = 2**60
"""Latest time that is looked for, since a vehicle may state any: the year 38,000."""
ECG_TYPE, DEVICE_EVENT, TWELVE_LEAD = "vitals.ecg_type", "devices.event", "4103001"
"""A report states an ECG by its type in a set of vital signs (NEMSIS eVitals.04), or as an event of the monitor with
the code of a 12-lead ECG (eDevice.03)."""
CAPTURE = "ecg_capture"
"""Member of a record's details with the capture."""


@dataclass(frozen=True, slots=True)
class _Around:
    """The waveforms of a gateway around the time of a capture."""

    tenant_id: str
    gateway_id: str
    at_us: int

    @property
    def in_lane(self) -> ColumnElement[bool]:
        """The lanes of waveforms of the gateway, in all of its stores."""
        lane = lanes.c
        return and_(
            lane.tenant_id == self.tenant_id, lane.gateway_id == self.gateway_id, lane.lane == Lane.WAVEFORM.value
        )

    @property
    def from_us(self) -> int:
        return self.at_us - CAPTURE_US

    @property
    def until_us(self) -> int:
        return self.at_us + CAPTURE_US


async def capture_entries(
    tx: Transaction, encounter: Encounter, new: ReportBatches, now_us: int
) -> tuple[Sequence[Entry], int]:
    """Return the records of the captures in the first of these batches, in the order of the log, and the number of the
    last batch up to which each capture has a record with them. The batches behind it wait for waveforms."""
    log = await CareLog().in_lane(
        tx, encounter, new.log_id, new.lane_id, changes_max=CHANGES_MAX, keys=(ECG_TYPE, DEVICE_EVENT)
    )
    captures = [one for one in log if new.first <= one[0] <= new.last and _is_capture(one[1])]
    entries: list[Entry] = []
    stored_us = await _stored_until_us(tx, encounter.tenant_id, new) if captures else None
    for sequence, together in groupby(captures, key=itemgetter(0)):
        found = [change for _, change in together]
        changes = found[:CAPTURES_MAX]
        latest_us = max(max(_captured_us(one), _clamped(one.gateway_time_us)) for one in changes) + CAPTURE_US
        are_stored = stored_us is not None and stored_us > latest_us
        if not are_stored and not await _has_waited(tx, encounter, new, sequence, now_us):
            return entries, sequence - 1
        if len(entries) + len(changes) > CAPTURES_MAX:
            return entries, sequence - 1
        for change in changes:
            left_out = len(found) - len(changes) if change is changes[-1] else 0
            entries.append(
                await _of_capture(
                    tx,
                    encounter,
                    change,
                    place_of(encounter, new, sequence),
                    are_stored=are_stored,
                    left_out=left_out,
                )
            )
    return entries, new.last


def _is_capture(change: FieldChange) -> bool:
    is_ecg = change.key == ECG_TYPE or (change.key == DEVICE_EVENT and change.value == TWELVE_LEAD)
    return is_ecg and change.action is Action.SET and change.value is not None


def _captured_us(change: FieldChange) -> int:
    """Return the time of a capture, as the report states it."""
    return _clamped(change.gateway_time_us if change.device_time_us is None else change.device_time_us)


def _clamped(at_us: int) -> int:
    return min(max(at_us, -TIME_US_MAX), TIME_US_MAX)


async def _of_capture(
    tx: Transaction,
    encounter: Encounter,
    change: FieldChange,
    where: dict[str, Any],
    *,
    are_stored: bool,
    left_out: int,
) -> Entry:
    """Return the record of a capture. `are_stored`: all waveforms of its time that the vehicle sends are stored.
    `left_out` is the number of captures of the same batch without a record."""
    around = _Around(encounter.tenant_id, where["gateway_id"], _captured_us(change))
    ranges, are_all = await _waveforms(tx, around)
    is_complete = are_stored and are_all and not await _lacks_some(tx, around)
    is_complete = is_complete and await _had_store(tx, around, where["epoch"])
    capture = where | {
        "entry": change.entry,
        "author": change.author,
        "captured_at": write_moment(around.at_us),
        "waveform_batches": ranges,
        "complete": is_complete,
    }
    return Entry(
        operation=Operation.UPDATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document(),
        details={CAPTURE: capture | ({"captures_left_out": left_out} if left_out else {})},
    )


async def _stored_until_us(tx: Transaction, tenant_id: str, report: ReportBatches) -> int | None:
    """Return when the gateway made the last batch of the unbroken part of the lane `waveform` in the same store, by its
    clock; None if that is not known, or if the waveforms of a batch are not stored yet, since it is parked."""
    table = lanes.c
    statement = (
        select(table.lane_id, table.signed_created_us)
        .where(table.tenant_id == tenant_id, table.gateway_id == report.gateway_id, table.epoch == report.epoch)
        .where(table.lane == Lane.WAVEFORM.value, table.signed_sequence == table.through_sequence)
    )
    row = (await tx.execute(statement)).first()
    if row is None or row.signed_created_us is None or await ParkingStore().first_parked(tx, [row.lane_id]):
        return None
    return int(row.signed_created_us)


async def _had_store(tx: Transaction, around: _Around, epoch: str) -> bool:
    """Return whether the store with the report of a capture had begun before the capture: it is the only one of its
    gateway, or has a batch that was made before."""
    lane, batch = lanes.c, batches.c
    mine = lane.tenant_id == around.tenant_id, lane.gateway_id == around.gateway_id
    others = select(lane.lane_id).where(*mine, lane.epoch != epoch).limit(1)
    if (await tx.execute(others)).first() is None:
        return True
    before = (
        select(batch.lane_id)
        .join(lanes, lane.lane_id == batch.lane_id)
        .where(*mine, lane.epoch == epoch, batch.created_at_us <= around.from_us)
    )
    return (await tx.execute(before.limit(1))).first() is not None


async def _has_waited(tx: Transaction, encounter: Encounter, report: ReportBatches, sequence: int, now_us: int) -> bool:
    """Return whether a batch with changes of a report arrived so long ago that its captures wait no more."""
    table = care_changes.c
    statement = select(table.received_at_us).where(
        table.tenant_id == encounter.tenant_id,
        table.encounter_id == report.log_id,
        table.lane_id == report.lane_id,
        table.sequence == sequence,
    )
    received_us = (await tx.execute(statement.limit(1))).scalar()
    return received_us is None or now_us >= int(received_us) + CAPTURE_WAIT_US


async def _lacks_some(tx: Transaction, around: _Around) -> bool:
    """Return whether the vehicle has dropped waveforms of the time of a capture, or the cloud could not read some."""
    gap, batch, aside = gap_ranges.c, batches.c, quarantined_batches.c
    dropped = (
        select(gap.lane_id)
        .join(lanes, lanes.c.lane_id == gap.lane_id)
        .where(around.in_lane, or_(gap.first_us.is_(None), gap.first_us <= around.until_us))
        .where(or_(gap.last_us.is_(None), gap.last_us >= around.from_us))
    )
    unread = (
        select(aside.quarantine_id)
        .join(
            lanes,
            and_(
                lanes.c.tenant_id == aside.tenant_id,
                lanes.c.gateway_id == aside.gateway_id,
                lanes.c.epoch == aside.epoch,
                lanes.c.lane == aside.lane,
            ),
        )
        .join(batches, and_(batch.lane_id == lanes.c.lane_id, batch.sequence == aside.sequence))
        .where(around.in_lane, aside.reason.in_(sorted(one.value for one in WITHOUT_ROWS)))
        .where(batch.created_at_us.between(around.from_us, around.until_us + BATCH_US))
    )
    return any([(await tx.execute(one.limit(1))).first() is not None for one in (dropped, unread)])


async def _waveforms(tx: Transaction, around: _Around) -> tuple[list[dict[str, Any]], bool]:
    """Return the ranges of batches of a gateway with waveforms of the time of a capture, at most `RUNS_MAX`: those in
    objects of the store, then those in rows. Return also whether these are all."""
    run, source = waveform_runs.c, waveform_sources.c
    packed = (
        select(lanes.c.epoch, run.sequence, run.through_sequence)
        .distinct()
        .select_from(
            lanes.join(waveform_runs, run.lane_id == lanes.c.lane_id).join(
                waveform_sources, and_(source.lane_id == run.lane_id, source.sequence == run.sequence)
            )
        )
        .where(around.in_lane, source.from_us <= around.until_us, source.until_us >= around.from_us)
        .order_by(lanes.c.epoch, run.sequence)
        .limit(RUNS_MAX + 1)
    )
    runs = [tuple(one) for one in await tx.execute(packed)]
    # A batch from a device's memory has rows beside its envelope in an object.
    in_run = {(epoch, sequence) for epoch, first, last in runs for sequence in range(first, last + 1)}
    in_rows, are_all = await _waveforms_in_rows(tx, around)
    found = runs + [(epoch, sequence, sequence) for epoch, sequence in in_rows if (epoch, sequence) not in in_run]
    ranges = [
        {"epoch": epoch, "first_sequence": first, "last_sequence": last} for epoch, first, last in found[:RUNS_MAX]
    ]
    return ranges, are_all and len(found) <= RUNS_MAX


async def _waveforms_in_rows(tx: Transaction, around: _Around) -> tuple[Sequence[tuple[str, int]], bool]:
    """Return the batches with waveforms in rows, each as its epoch and sequence number, and whether these are all."""
    epochs = {
        one.lane_id: one.epoch for one in await tx.execute(select(lanes.c.lane_id, lanes.c.epoch).where(around.in_lane))
    }
    sources = (
        select(observation_sources.c.source_id)
        .join(
            gateways,
            and_(
                gateways.c.tenant_id == observation_sources.c.tenant_id,
                gateways.c.vehicle_id == observation_sources.c.vehicle_id,
            ),
        )
        .where(gateways.c.tenant_id == around.tenant_id, gateways.c.id == around.gateway_id)
    )
    source_ids = [one.source_id for one in await tx.execute(sources)]
    # By device and time, as the index has them. With the lane as a condition, SQLite reads the whole lane.
    row = observations.c
    statement = (
        select(row.lane_id, row.sequence)
        .distinct()
        .where(row.source_id.in_(source_ids), row.observed_at_us.between(around.from_us - BATCH_US, around.until_us))
        .limit(ROWS_MAX)
    )
    rows = list(await tx.execute(statement)) if source_ids else []
    return sorted((epochs[one.lane_id], one.sequence) for one in rows if one.lane_id in epochs), len(rows) < ROWS_MAX
