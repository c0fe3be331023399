"""Records of what a vehicle's report states: the seal of a signed report, and the time of a 12-lead capture.

Both are changes in the log of the report, which arrives in the lane `epcr` (`protocols.epcr.seal`; the elements
`vitals.ecg_type` and `devices.event`). When `following` references their batch, each also gets a record of its own, so
that a transcript shows when the report was signed, over which changes, and by whom, and which batches have the
waveforms of a capture.

The record of a capture follows when its waveforms are stored: a report often arrives before them, since waveforms are
written minutes after they were acknowledged, and after an outage in the order of the lanes. They are stored once the
lane `waveform` of the same store has, without a hole, a batch that was made after them. A monitor may have been
switched off, so the record waits `CAPTURE_WAIT_US` at most, and states whether it has all (`complete`).

The cloud checks a seal over the changes that it has. The verdict is part of the record: a seal that does not fit is
recorded too, since the record must not hide it.

Nothing of the report's content is in a record: the hash of the log, ids, times, and numbers of batches.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import and_, select

from cloud.clinical.epcr import CareLog, Encounter, care_changes
from cloud.clinical.waveforms import waveform_runs, waveform_sources
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.vehicles.custody import lanes
from cloud.vehicles.fleet import GatewayDirectory
from cloud.work.evidence.encounters import CLOUD
from cloud.work.evidence.recorder import Document, Entry
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import Action, FieldChange
from protocols.epcr.seal import SealVerdict, read_seal, seal_verdicts
from protocols.provenance.transcript import ActorKind, Operation
from protocols.uplink.lanes import Lane

CHANGES_MAX = 20_000
"""Changes of one encounter in one lane that are read. A long mission with two authors has some thousand."""
SEALS_MAX = 16
"""Records of seals in one turn: a sign-off and its addenda. If there are more, the newest, which cover the others.
All stay in the log."""
CAPTURES_MAX = 32
"""Records of 12-lead captures in one turn, and of those in one batch. The next turn continues with the next batch."""
CAPTURE_WAIT_US = 6 * 3_600_000_000
"""Time for which a capture waits for its waveforms after its report arrived."""
SIGNERS_MAX = 16
RUNS_MAX = 64
"""Ranges of batches with the waveforms of one capture."""
CAPTURE_US = 10_000_000
"""A printed 12-lead ECG shows ten seconds. The time of a capture is that of its end or of its beginning, so waveforms
of as much before and after are referenced."""
TIME_US_MAX = 2**60
"""Latest time that is looked for, since a vehicle may state any: the year 38,000."""
ECG_TYPE, DEVICE_EVENT, TWELVE_LEAD = "vitals.ecg_type", "devices.event", "4103001"
"""A report states an ECG by its type in a set of vital signs (NEMSIS eVitals.04), or as an event of the monitor with
the code of a 12-lead ECG (eDevice.03)."""
REPORT = "report"
"""Member of the content with the newest seal."""
_SIGNER = "signatures."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBatches:
    """New batches of a lane `epcr`: those from `first` to `last`."""

    lane_id: int
    gateway_id: str
    epoch: str
    first: int
    last: int


async def seal_entries(tx: Transaction, encounter: Encounter, new: ReportBatches) -> AsyncIterator[Entry]:
    """Yield the records of the seals in new batches, in the order of the log."""
    log = await CareLog().in_lane(tx, encounter, new.lane_id, changes_max=CHANGES_MAX)
    places = [place for place, (sequence, _) in enumerate(log) if new.first <= sequence <= new.last]
    seals = [place for place in places if log[place][1].key == Annotation.SEAL][-SEALS_MAX:]
    if not seals:
        return
    changes = [change for _, change in log]
    keys = await _keys_of(tx, encounter.tenant_id, new.gateway_id)
    # Hashing ten thousand changes takes some hundredths of a second.
    verdicts = await asyncio.to_thread(seal_verdicts, encounter.id, changes, keys)
    for place in seals:
        yield _of_seal(changes, place, verdicts[place], _place(new, log[place][0]))


async def capture_entries(
    tx: Transaction, encounter: Encounter, new: ReportBatches, now_us: int
) -> tuple[Sequence[Entry], int]:
    """Return the records of the captures in the first of these batches, in the order of the log, and the number of the
    last batch up to which each capture has a record with them. The batches behind it wait for waveforms."""
    log = await CareLog().in_lane(tx, encounter, new.lane_id, changes_max=CHANGES_MAX, keys=(ECG_TYPE, DEVICE_EVENT))
    captures = [one for one in log if new.first <= one[0] <= new.last and _is_capture(one[1])]
    entries: list[Entry] = []
    waveforms_us = await _waveforms_until_us(tx, encounter.tenant_id, new) if captures else None
    for sequence, together in groupby(captures, key=itemgetter(0)):
        changes = [change for _, change in together][:CAPTURES_MAX]
        latest_us = max(max(_captured_us(one), _clamped(one.gateway_time_us)) for one in changes) + CAPTURE_US
        is_complete = waveforms_us is not None and waveforms_us > latest_us
        if not is_complete and not await _has_waited(tx, encounter, new.lane_id, sequence, now_us):
            return entries, sequence - 1
        if len(entries) + len(changes) > CAPTURES_MAX:
            return entries, sequence - 1
        where = _place(new, sequence)
        entries.extend([await _of_capture(tx, encounter, one, where, is_complete=is_complete) for one in changes])
    return entries, new.last


def _place(batches: ReportBatches, sequence: int) -> dict[str, Any]:
    return {"gateway_id": batches.gateway_id, "epoch": batches.epoch, "lane": "epcr", "sequence": sequence}


def _is_capture(change: FieldChange) -> bool:
    is_ecg = change.key == ECG_TYPE or (change.key == DEVICE_EVENT and change.value == TWELVE_LEAD)
    return is_ecg and change.action is Action.SET and change.value is not None


def _of_seal(changes: Sequence[FieldChange], place: int, verdict: SealVerdict, where: dict[str, Any]) -> Entry:
    change = changes[place]
    seal = read_seal(change.value or "")
    signers = {one.author for one in changes[:place] if one.key.startswith(_SIGNER)}
    stated = {} if seal is None else {"changes": seal.changes, "digest": seal.digest.hex()}
    return Entry(
        operation=Operation.UPDATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document({REPORT: stated | {"sealed_at": write_moment(change.gateway_time_us)}}),
        details={
            "report_seal": where
            | stated
            | {
                "verdict": verdict.value,
                "signature": None if seal is None else seal.signature.hex(),
                "sealed_at": write_moment(change.gateway_time_us),
                "signed_by": sorted(signers)[:SIGNERS_MAX],
            }
        },
    )


def _captured_us(change: FieldChange) -> int:
    """Return the time of a capture, as the report states it."""
    return _clamped(change.gateway_time_us if change.device_time_us is None else change.device_time_us)


def _clamped(at_us: int) -> int:
    return min(max(at_us, -TIME_US_MAX), TIME_US_MAX)


async def _of_capture(
    tx: Transaction, encounter: Encounter, change: FieldChange, where: dict[str, Any], *, is_complete: bool
) -> Entry:
    at_us = _captured_us(change)
    capture = where | {
        "entry": change.entry,
        "author": change.author,
        "captured_at": write_moment(at_us),
        "waveform_batches": await _waveforms(tx, encounter.tenant_id, where["gateway_id"], at_us),
        "complete": is_complete,
    }
    return Entry(
        operation=Operation.UPDATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document(),
        details={"ecg_capture": capture},
    )


async def _waveforms_until_us(tx: Transaction, tenant_id: str, batches: ReportBatches) -> int | None:
    """Return when the gateway made the last batch of the unbroken part of the lane `waveform` in the same store, by its
    clock; None if that is not known. All batches up to it have rows."""
    table = lanes.c
    statement = (
        select(table.signed_created_us)
        .where(table.tenant_id == tenant_id, table.gateway_id == batches.gateway_id, table.epoch == batches.epoch)
        .where(table.lane == Lane.WAVEFORM.value, table.signed_sequence == table.through_sequence)
    )
    found = (await tx.execute(statement)).scalar()
    return None if found is None else int(found)


async def _has_waited(tx: Transaction, encounter: Encounter, lane_id: int, sequence: int, now_us: int) -> bool:
    """Return whether a batch with changes of a report arrived so long ago that its captures wait no more."""
    table = care_changes.c
    statement = select(table.received_at_us).where(
        table.tenant_id == encounter.tenant_id,
        table.encounter_id == encounter.id,
        table.lane_id == lane_id,
        table.sequence == sequence,
    )
    received_us = (await tx.execute(statement.limit(1))).scalar()
    return received_us is None or now_us >= int(received_us) + CAPTURE_WAIT_US


async def _waveforms(tx: Transaction, tenant_id: str, gateway_id: str, at_us: int) -> list[dict[str, Any]]:
    """Return the ranges of batches of a gateway with waveforms of the time of a capture."""
    run, source = waveform_runs.c, waveform_sources.c
    statement = (
        select(lanes.c.epoch, run.sequence, run.through_sequence)
        .distinct()
        .select_from(
            lanes.join(waveform_runs, run.lane_id == lanes.c.lane_id).join(
                waveform_sources, and_(source.lane_id == run.lane_id, source.sequence == run.sequence)
            )
        )
        .where(lanes.c.tenant_id == tenant_id, lanes.c.gateway_id == gateway_id, lanes.c.lane == Lane.WAVEFORM.value)
        .where(source.from_us <= at_us + CAPTURE_US, source.until_us >= at_us - CAPTURE_US)
        .order_by(lanes.c.epoch, run.sequence)
        .limit(RUNS_MAX)
    )
    return [
        {"epoch": row.epoch, "first_sequence": row.sequence, "last_sequence": row.through_sequence}
        for row in await tx.execute(statement)
    ]


async def _keys_of(tx: Transaction, tenant_id: str, gateway_id: str) -> list[bytes]:
    """Return the signing key of a gateway and its former ones."""
    directory = GatewayDirectory()
    gateway = await directory.find(tx, tenant_id, gateway_id)
    if gateway is None:
        return []
    return [gateway.public_key, *(one.public_key for one in await directory.former_keys(tx, gateway))]
