"""Records of what a vehicle's report states: the seal of a signed report, and the time of a 12-lead capture.

Both are changes in the log of the report, which arrives in the lane `epcr` (`protocols.epcr.seal`; the elements
`vitals.ecg_type` and `devices.event`). When `following` references their batch, each also gets a record of its own, so
that a transcript shows when the report was signed, over which changes, and by whom, and which batches have the
waveforms of a capture.

The cloud checks a seal over the changes that it has. The verdict is part of the record: a seal that does not fit is
recorded too, since the record must not hide it.

Nothing of the report's content is in a record: the hash of the log, ids, times, and numbers of batches.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select

from cloud.clinical.epcr import CareLog, Encounter
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
"""Records of 12-lead captures in one turn."""
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


async def report_entries(tx: Transaction, encounter: Encounter, new: ReportBatches) -> AsyncIterator[Entry]:
    """Yield the records of the seals and of the captures in new batches, in the order of the log."""
    log = await CareLog().in_lane(tx, encounter, new.lane_id, changes_max=CHANGES_MAX)
    places = [place for place, (sequence, _) in enumerate(log) if new.first <= sequence <= new.last]
    seals = [place for place in places if log[place][1].key == Annotation.SEAL][-SEALS_MAX:]
    captures = [place for place in places if _is_capture(log[place][1])][:CAPTURES_MAX]
    if not seals and not captures:
        return
    changes = [change for _, change in log]
    verdicts: dict[int, SealVerdict] = {}
    if seals:
        keys = await _keys_of(tx, encounter.tenant_id, new.gateway_id)
        # Hashing ten thousand changes takes some hundredths of a second.
        verdicts = await asyncio.to_thread(seal_verdicts, encounter.id, changes, keys)
    for place in sorted([*seals, *captures]):
        where = {"gateway_id": new.gateway_id, "epoch": new.epoch, "lane": "epcr", "sequence": log[place][0]}
        if place in verdicts:
            yield _of_seal(changes, place, verdicts[place], where)
        else:
            yield await _of_capture(tx, encounter, changes[place], where)


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


async def _of_capture(tx: Transaction, encounter: Encounter, change: FieldChange, where: dict[str, Any]) -> Entry:
    stated_us = change.gateway_time_us if change.device_time_us is None else change.device_time_us
    at_us = min(max(stated_us, -TIME_US_MAX), TIME_US_MAX)
    capture = where | {
        "entry": change.entry,
        "author": change.author,
        "captured_at": write_moment(at_us),
        "waveform_batches": await _waveforms(tx, encounter.tenant_id, where["gateway_id"], at_us),
    }
    return Entry(
        operation=Operation.UPDATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document(),
        details={"ecg_capture": capture},
    )


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
