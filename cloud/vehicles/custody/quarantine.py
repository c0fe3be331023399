"""The quarantine: batches that are not trusted, contradict a stored batch, or cannot be read, with the reason.

Any client with a broker login can send garbage, so the rows and their bytes are limited: for each gateway, and for all
unknown senders in common. Above the limit only a counter rises. The same bytes sent again (a gateway resends until it
gets an acknowledgement) are one row with a count. Ingest decides whether a quarantined batch is also stored,
acknowledged or reported.
"""

from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db import Records, Transaction
from cloud.vehicles.custody.tables import quarantine_overflows, quarantined_batches

ROWS_MAX = 200
"""Limit of the rows of one gateway, and of all unknown senders: enough to find the cause, few enough to read."""

OCTETS_MAX = 16 << 20
"""Limit of the bytes in these rows: sixteen of the largest envelopes, some hundred ordinary ones."""


class Reason(StrEnum):
    """The reason why a batch is in quarantine."""

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
"""Reasons for which a batch is in the chain without rows: `custody reprocess` tries these batches again."""

STRANGERS = frozenset({Reason.MALFORMED, Reason.UNKNOWN_GATEWAY})
"""Reasons for which the gateway named by the topic is only a claim. All such batches share one limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAside:
    """A batch to put in quarantine, identified by `octets_hash`. `octets` is None when the chain of custody already
    stores the batch's bytes."""

    tenant_id: str
    gateway_id: str
    reason: Reason
    detail: str
    octets_hash: bytes
    octets: bytes | None
    epoch: str | None = None
    lane: str | None = None
    sequence: int | None = None


_ROWS = Records(SetAside, quarantined_batches)


@dataclass(frozen=True, slots=True)
class Kept:
    """Result: the batch has a quarantine row. `first_time` is False when an earlier copy of the batch
    had made the row."""

    first_time: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """Result: the limit is reached, so the batch has no row and was only counted. `times` is the new count."""

    times: int


async def set_aside(tx: Transaction, batch: SetAside, *, now_us: int) -> Kept | Counted:
    """Put a batch in quarantine. If a limit is reached, or a row with the same bytes and reason exists, only a counter
    rises."""
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
    values = {**_ROWS.values(batch), "first_us": now_us, "last_us": now_us, "times": 1}
    # Another worker may have added a row for the same bytes since the update above; then one row is enough.
    await tx.execute(insert(quarantined_batches).values(values).on_conflict_do_nothing())
    return Kept(first_time=True)


async def release(tx: Transaction, tenant_id: str, gateway_id: str, octets_hash: bytes) -> None:
    """Remove the quarantine row of a batch that is now unpacked, if the batch was in quarantine because it could not be
    unpacked (a reason in `WITHOUT_ROWS`)."""
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
    """Return whether the quarantine's limits on rows and bytes allow a row for `batch`. Two concurrent workers may
    exceed a limit by one row."""
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
