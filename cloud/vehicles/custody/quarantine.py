"""The quarantine: batches that are not trusted, contradict a stored batch, or cannot be read, with the reason.

Any client with a broker login can send garbage, so the rows and their bytes are limited: for each gateway, and for all
unknown senders in common. Above the limit only a counter rises. The same bytes sent again (a gateway resends until it
gets an acknowledgement) are one row with a count. Ingest decides whether a quarantined batch is also stored,
acknowledged or reported.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import BigInteger, Text, bindparam, func, not_, select, tuple_, update

from cloud.foundation.db import GivenRows, Prepared, Records, Transaction, given, insert
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
    epoch: str | None = None
    lane: str | None = None
    sequence: int | None = None
    octets_hash: bytes
    octets: bytes | None


_ROWS = Records(SetAside, quarantined_batches)


_Place = tuple[str, str, bytes, str]
"""The key of a quarantined batch: tenant, gateway, hash of the bytes, reason."""

_rows = quarantined_batches.c
_again = GivenRows("again", quarantine_id=BigInteger(), times=BigInteger())
_COUNT_AGAIN = Prepared(
    update(quarantined_batches)
    .where(_rows.quarantine_id == _again.c("quarantine_id"))
    .values(times=_rows.times + _again.c("times"), last_us=bindparam("now_us", type_=BigInteger))
)
_STRANGER = _rows.reason.in_([reason.value for reason in sorted(STRANGERS)])
_HELD = (func.count().label("kept"), func.coalesce(func.sum(func.length(_rows.octets)), 0).label("octets_bytes"))
_over = quarantine_overflows.c
_beyond = GivenRows("beyond", tenant_id=Text(), gateway_id=Text(), reason=Text(), times=BigInteger())
_now = bindparam("now_us", type_=BigInteger)
_add_beyond = insert(quarantine_overflows).from_select(
    ("tenant_id", "gateway_id", "reason", "times", "first_us", "last_us"),
    _beyond.rows("tenant_id", "gateway_id", "reason", "times")
    .add_columns(_now, _now)
    # SQLite parses `ON` after a SELECT without WHERE as a join.
    .where(_beyond.c("tenant_id").is_not(None)),
)
_COUNT_BEYOND = Prepared(
    _add_beyond.on_conflict_do_update(
        index_elements=["tenant_id", "gateway_id", "reason"],
        set_={"times": _over.times + _add_beyond.excluded.times, "last_us": _now},
    )
)


@dataclass(slots=True)
class _Room:
    """The rows and bytes that one limit of the quarantine still allows."""

    rows: int
    bytes: int

    def take(self, size: int) -> bool:
        """Use a row of `size` bytes. Return False if the limit does not allow it."""
        if self.rows < 1 or self.bytes < size:
            return False
        self.rows -= 1
        self.bytes -= size
        return True


async def set_aside(tx: Transaction, batches: Sequence[SetAside], *, now_us: int) -> list[bool]:
    """Put batches in quarantine; return for each whether it has a new row. If a limit is reached, or a row with the
    same bytes and reason exists, only a counter rises. The number of statements does not depend on that of the batches.
    Raises `ConstraintViolated` when another worker adds a row for the same bytes; a retry finds that row."""
    if not batches:
        return []
    held = await _find(tx, {_place(one) for one in batches})
    again: Counter[int] = Counter()
    new: dict[_Place, SetAside] = {}
    times: Counter[_Place] = Counter()
    for one in batches:
        place = _place(one)
        if place in held:
            again[held[place]] += 1
        else:
            new.setdefault(place, one)
            times[place] += 1
    if again:
        await tx.driver.run(_COUNT_AGAIN, {"again": given(sorted(again.items())), "now_us": now_us})
    kept = await _keep(tx, new, times, now_us) if new else set()
    # Only the first of several equal batches is new.
    return [_place(one) in kept and new[_place(one)] is one for one in batches]


async def _keep(
    tx: Transaction, new: Mapping[_Place, SetAside], times: Mapping[_Place, int], now_us: int
) -> set[_Place]:
    """Add rows for batches without one, as far as the limits allow, and count the others; return the former."""
    rooms = await _rooms(tx, new.values())
    kept = {place for place, one in new.items() if rooms[_limit_of(one)].take(len(one.octets or b""))}
    if kept:
        columns = (*(column.name for column in _ROWS.columns), "first_us", "last_us", "times")
        # All workers append in one order, so that two with the same bytes wait for each other without a deadlock.
        rows = [(*_ROWS.row(new[place]), now_us, now_us, times[place]) for place in sorted(kept)]
        await tx.driver.append(quarantined_batches, columns, rows)
    beyond: Counter[tuple[str, str, str]] = Counter()
    for place in new.keys() - kept:
        beyond[*_limit_of(new[place]), new[place].reason.value] += times[place]
    if beyond:
        rows_beyond = [(*name, count) for name, count in sorted(beyond.items())]
        await tx.driver.run(_COUNT_BEYOND, {"beyond": given(rows_beyond), "now_us": now_us})
    return kept


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


def _place(batch: SetAside) -> _Place:
    return batch.tenant_id, batch.gateway_id, batch.octets_hash, batch.reason.value


def _limit_of(batch: SetAside) -> tuple[str, str]:
    """Return the tenant and gateway whose limit counts for a batch; empty texts for that of all unknown senders."""
    return ("", "") if batch.reason in STRANGERS else (batch.tenant_id, batch.gateway_id)


async def _find(tx: Transaction, places: Collection[_Place]) -> dict[_Place, int]:
    key = (_rows.tenant_id, _rows.gateway_id, _rows.octets_hash, _rows.reason)
    found = await tx.execute(select(*key, _rows.quarantine_id).where(tuple_(*key).in_(sorted(places))))
    return {(tenant_id, gateway_id, bytes(hash_), reason): id_ for tenant_id, gateway_id, hash_, reason, id_ in found}


async def _rooms(tx: Transaction, batches: Iterable[SetAside]) -> dict[tuple[str, str], _Room]:
    """Return what the quarantine's limits still allow. Two concurrent workers may exceed a limit by their batches."""
    limits = {_limit_of(one) for one in batches}
    rooms = {limit: _Room(ROWS_MAX, OCTETS_MAX) for limit in limits}
    known = sorted(limits - {("", "")})
    if known:
        name = (_rows.tenant_id, _rows.gateway_id)
        statement = select(*name, *_HELD).where(tuple_(*name).in_(known), not_(_STRANGER)).group_by(*name)
        for tenant_id, gateway_id, kept, size in await tx.execute(statement):
            rooms[tenant_id, gateway_id] = _Room(ROWS_MAX - kept, OCTETS_MAX - int(size))
    if ("", "") in limits:
        ((kept, size),) = await tx.execute(select(*_HELD).where(_STRANGER))
        rooms["", ""] = _Room(ROWS_MAX - kept, OCTETS_MAX - int(size))
    return rooms
