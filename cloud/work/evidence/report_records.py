"""Records of the seals of a signed report.

A seal is a change in the log of the report (`protocols.epcr.seal`), which arrives in the lane `epcr`. When `following`
references its batch, it also gets a record of its own, so that a transcript shows when the report was signed, over
which changes, and by whom.

A report of the crew that the encounter was joined to has a log of its own (`report_entries`), and the record names it.

The cloud checks a seal over the changes that it has. The verdict is part of the record: a seal that does not fit is
recorded too, since the record must not hide it.

Nothing of the report's content is in a record: the hash of the log, ids, times, and numbers of batches.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Any

from cloud.clinical.epcr import CareLog, Encounter
from cloud.foundation.db import Transaction
from cloud.foundation.moments import write_moment
from cloud.vehicles.fleet import GatewayDirectory
from cloud.work.evidence.encounters import CLOUD
from cloud.work.evidence.recorder import Document, Entry
from protocols.epcr.annotations import Annotation
from protocols.epcr.change import FieldChange
from protocols.epcr.seal import SealVerdict, read_seal, seal_verdicts
from protocols.provenance.transcript import ActorKind, Operation

CHANGES_MAX = 20_000
"""Changes of one encounter in one lane that are read. A long mission with two authors has some thousand. If there are
more, the reference to their batches states it (`incomplete`)."""
SEALS_MAX = 16
"""Records of seals in one turn: a sign-off and its addenda. If there are more, the newest, which cover the others, and
the first record has the number of the others (`seals_left_out`). All stay in the log."""
SIGNERS_MAX = 16
REPORT = "report"
"""Member of the content with the newest seal."""
SEAL = "report_seal"
"""Member of a record's details with the seal."""
REPORT_ID = "report_id"
"""Member of a seal or a capture: the report of the crew whose log has it. It is absent for the encounter's own log."""
_SIGNER = "signatures."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportBatches:
    """New batches of a lane `epcr`: those from `first` to `last`. `log_id` is the log whose changes are read: that of
    the encounter, or of a report that it was joined to."""

    log_id: str
    lane_id: int
    gateway_id: str
    epoch: str
    first: int
    last: int


async def seal_entries(tx: Transaction, encounter: Encounter, new: ReportBatches) -> AsyncIterator[Entry]:
    """Yield the records of the seals in new batches, in the order of the log."""
    log = await CareLog().in_lane(tx, encounter, new.log_id, new.lane_id, changes_max=CHANGES_MAX)
    places = [place for place, (sequence, _) in enumerate(log) if new.first <= sequence <= new.last]
    found = [place for place in places if log[place][1].key == Annotation.SEAL]
    if not found:
        return
    seals = found[-SEALS_MAX:]
    changes = [change for _, change in log]
    keys = await _keys_of(tx, encounter.tenant_id, new.gateway_id)
    # Hashing ten thousand changes takes some hundredths of a second.
    verdicts = await asyncio.to_thread(seal_verdicts, new.log_id, changes, keys)
    for place in seals:
        left_out = len(found) - len(seals) if place == seals[0] else 0
        yield _of_seal(changes, place, verdicts[place], place_of(encounter, new, log[place][0]), left_out)


def place_of(encounter: Encounter, batches: ReportBatches, sequence: int) -> dict[str, Any]:
    """Return the place of a batch of a report, as a record states it."""
    place = {"gateway_id": batches.gateway_id, "epoch": batches.epoch, "lane": "epcr", "sequence": sequence}
    return place | ({} if batches.log_id == encounter.id else {REPORT_ID: batches.log_id})


def _of_seal(
    changes: Sequence[FieldChange], place: int, verdict: SealVerdict, where: dict[str, Any], left_out: int
) -> Entry:
    """Return the record of a seal. `left_out` is the number of earlier seals of these batches without a record."""
    change = changes[place]
    seal = read_seal(change.value or "")
    log = {name: where[name] for name in (REPORT_ID,) if name in where}
    signers = {one.author for one in changes[:place] if one.key.startswith(_SIGNER)}
    stated = {} if seal is None else {"changes": seal.changes, "digest": seal.digest.hex()}
    cut = ({"seals_left_out": left_out} if left_out else {}) | (
        {"signers_left_out": len(signers) - SIGNERS_MAX} if len(signers) > SIGNERS_MAX else {}
    )
    return Entry(
        operation=Operation.UPDATE,
        actor_id=CLOUD,
        actor_kind=ActorKind.SYSTEM,
        content=Document({REPORT: log | stated | {"sealed_at": write_moment(change.gateway_time_us)}}),
        details={
            SEAL: where
            | stated
            | {
                "verdict": verdict.value,
                "signature": None if seal is None else seal.signature.hex(),
                "sealed_at": write_moment(change.gateway_time_us),
                "signed_by": sorted(signers)[:SIGNERS_MAX],
            }
            | cut
        },
    )


async def _keys_of(tx: Transaction, tenant_id: str, gateway_id: str) -> list[bytes]:
    """Return the signing key of a gateway and its former ones."""
    directory = GatewayDirectory()
    gateway = await directory.find(tx, tenant_id, gateway_id)
    if gateway is None:
        return []
    return [gateway.public_key, *(one.public_key for one in await directory.former_keys(tx, gateway))]
