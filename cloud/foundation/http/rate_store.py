"""The rate limits that processes share: each process subtracts its requests from a common level (number of requests
left) in the database.
"""

import hashlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sqlalchemy import bindparam, case, select

from cloud.foundation.db import Prepared, Transaction, delete_chunk, insert
from cloud.foundation.http.tables import rate_buckets as buckets

KEPT_US = 3600 * 1_000_000
"""Longer than any window: a bucket without a draw for this time is full."""


class Usage(NamedTuple):
    """The requests that one process has admitted under one limit since its last report. `digest`, from `digest_of`,
    identifies the limit and the client. `drawn` is the number of requests."""

    digest: bytes
    quota: float
    window_us: int
    drawn: float


def digest_of(policy: str, key: object) -> bytes:
    """Return the digest of a limit and its client. The database stores only this digest, never an address."""
    words = key if isinstance(key, tuple) else (key,)
    return hashlib.sha256("\0".join(("argus rate", policy, *map(str, words))).encode()).digest()


_NEW = insert(buckets).values({column.name: bindparam(column.name) for column in buckets.c})
_SINCE_US = _NEW.excluded.at_us - buckets.c.at_us
_REFILLED = buckets.c.level + case((_SINCE_US > 0, _SINCE_US), else_=0) * _NEW.excluded.quota / _NEW.excluded.window_us
# The level of a new row is the quota minus the drawn requests, so this is their number, below zero.
_DRAWN = _NEW.excluded.level - _NEW.excluded.quota
_LEFT = case((_NEW.excluded.quota < _REFILLED, _NEW.excluded.quota), else_=_REFILLED) + _DRAWN
_SETTLE = Prepared(
    _NEW.on_conflict_do_update(
        index_elements=[buckets.c.digest],
        set_={
            "quota": _NEW.excluded.quota,
            "window_us": _NEW.excluded.window_us,
            # Never below minus one quota, so that no client waits longer than two windows.
            "level": case((-_NEW.excluded.quota > _LEFT, -_NEW.excluded.quota), else_=_LEFT),
            "at_us": case((_SINCE_US > 0, _NEW.excluded.at_us), else_=buckets.c.at_us),
        },
    ),
    order=("digest", "quota", "window_us", "level", "at_us"),
)


class RateStore:
    """The statements for shared rate limits."""

    async def settle(self, tx: Transaction, usages: Sequence[Usage], now_us: int) -> Mapping[bytes, float]:
        """Subtract the requests that this process has admitted from the levels (numbers of requests left) that all
        processes share. Return a mapping from each digest to the new level."""
        # In the order of the digests, so that two processes cannot deadlock.
        rows = [(one.digest, one.quota, one.window_us, one.quota - one.drawn, now_us) for one in sorted(usages)]
        await tx.driver.run_many(_SETTLE, rows)
        theirs = buckets.c.digest.in_([one.digest for one in usages])
        found = await tx.execute(select(buckets.c.digest, buckets.c.level).where(theirs))
        return {bytes(digest): float(level) for digest, level in found}

    async def sweep(self, tx: Transaction, now_us: int) -> int:
        """Delete a chunk of the limits that were not used for an hour; return the number of deleted ones."""
        return await delete_chunk(tx, buckets, buckets.c.at_us <= now_us - KEPT_US, oldest=buckets.c.at_us)


async def sweep_rates(tx: Transaction, now_us: int) -> int:
    return await RateStore().sweep(tx, now_us)
