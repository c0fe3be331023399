"""Batches set aside, with the reason: what cannot be trusted, what contradicts what is held, what cannot be read.

Nothing that reaches ingest disappears without a row. The row is bounded, because anybody with a broker login can send
garbage: a gateway keeps so many rows and octets, all strangers together so many, and beyond that only a counter moves.
The same octets again (a gateway repeats until it is answered) are one row with a count.

Whether a quarantined batch is also stored, acknowledged or reported is ingest's decision.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db import Transaction
from cloud.vehicles.custody.tables import quarantine_overflows, quarantined_batches

ROWS_MAX = 200
"""A gateway's rows, and those of all strangers together: enough to see what is wrong, little enough to read."""

OCTETS_MAX = 16 << 20
"""What these rows may hold in all: sixteen of the largest envelopes, some hundred ordinary ones."""


class Reason(StrEnum):
    """Why a batch was set aside."""

    MALFORMED = "malformed"
    UNKNOWN_GATEWAY = "unknown_gateway"
    SHUT_OUT = "shut_out"
    FORGED = "forged"
    CONFLICT = "conflict"
    CHAIN_BROKEN = "chain_broken"
    UNREADABLE = "unreadable"
    OVER_LIMIT = "over_limit"
    TOO_SLOW = "too_slow"


WITHOUT_ROWS = frozenset({Reason.UNREADABLE, Reason.OVER_LIMIT, Reason.TOO_SLOW})
"""Reasons under which the batch stands in the chain and has no rows: `custody reprocess` tries them again."""

STRANGERS = frozenset({Reason.MALFORMED, Reason.UNKNOWN_GATEWAY})
"""Reasons under which the name on the topic is only a claim: they share one limit, whatever names are made up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """One batch for quarantine. `octets` is None where the batch itself is stored too; `octets_hash` always
    identifies it."""

    tenant_id: str
    gateway_id: str
    reason: Reason
    detail: str
    octets_hash: bytes
    octets: bytes | None
    epoch: str | None = None
    lane: str | None = None
    sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A row exists. `first_time` is False when these octets had been set aside before."""

    first_time: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """The limit is reached: only the overflow counter moved. `times` is its new value."""

    times: int


async def set_aside(tx: Transaction, batch: SetAside, *, now_us: int) -> Kept | Counted:
    """Keep the batch, count a repeat, or count it beyond the limit."""
    rows = quarantined_batches.c
    repeat = (
        quarantined_batches.update()
        .where(
            rows.tenant_id == batch.tenant_id,
            rows.gateway_id == batch.gateway_id,
            rows.octets_hash == batch.octets_hash,
            rows.reason == batch.reason.value,
        )
        .values(times=rows.times + 1, last_us=now_us)
    )
    if (await tx.execute(repeat)).rowcount:
        return Kept(first_time=False)
    if not await _has_room(tx, batch):
        return Counted(await _count_beyond(tx, batch, now_us))
    values = {
        "tenant_id": batch.tenant_id,
        "gateway_id": batch.gateway_id,
        "reason": batch.reason.value,
        "detail": batch.detail,
        "epoch": batch.epoch,
        "lane": batch.lane,
        "sequence": batch.sequence,
        "octets_hash": batch.octets_hash,
        "octets": batch.octets,
        "first_us": now_us,
        "last_us": now_us,
        "times": 1,
    }
    # Another worker may have set the same octets aside since the update above; then one row is enough.
    await tx.execute(insert(quarantined_batches).values(values).on_conflict_do_nothing())
    return Kept(first_time=True)


async def release(tx: Transaction, tenant_id: str, gateway_id: str, octets_hash: bytes) -> None:
    """Remove a batch from quarantine, since it has its rows now."""
    rows = quarantined_batches.c
    await tx.execute(
        quarantined_batches.delete().where(
            rows.tenant_id == tenant_id,
            rows.gateway_id == gateway_id,
            rows.octets_hash == octets_hash,
            rows.reason.in_([reason.value for reason in sorted(WITHOUT_ROWS)]),
        )
    )


async def _has_room(tx: Transaction, batch: SetAside) -> bool:
    """Two workers may both see the last free place; the limit is then passed by one, not by many."""
    rows = quarantined_batches.c
    held = select(
        func.count().label("kept"), func.coalesce(func.sum(func.length(rows.octets)), 0).label("octets_bytes")
    )
    strangers = [reason.value for reason in sorted(STRANGERS)]
    if batch.reason in STRANGERS:
        held = held.where(rows.reason.in_(strangers))
    else:
        held = held.where(
            rows.tenant_id == batch.tenant_id, rows.gateway_id == batch.gateway_id, rows.reason.not_in(strangers)
        )
    found = (await tx.execute(held)).first()
    assert found is not None, "an aggregate always gives a row"
    return bool(found.kept < ROWS_MAX and found.octets_bytes + len(batch.octets or b"") <= OCTETS_MAX)


async def _count_beyond(tx: Transaction, batch: SetAside, now_us: int) -> int:
    stranger = batch.reason in STRANGERS
    count = insert(quarantine_overflows).values(
        tenant_id="" if stranger else batch.tenant_id,
        gateway_id="" if stranger else batch.gateway_id,
        reason=batch.reason.value,
        times=1,
        first_us=now_us,
        last_us=now_us,
    )
    counted = await tx.execute(
        count.on_conflict_do_update(
            index_elements=["tenant_id", "gateway_id", "reason"],
            set_={"times": quarantine_overflows.c.times + 1, "last_us": now_us},
        ).returning(quarantine_overflows.c.times)
    )
    return int(counted.scalar())
