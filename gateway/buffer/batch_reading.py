"""Batches of the store for the uplink, without a hole: damage that a read finds is repaired before the next read."""

from functools import partial
from typing import Any

from gateway.buffer import damage
from gateway.buffer.errors import StoreFull
from gateway.buffer.open_store import OpenStore
from gateway.buffer.store_in_use import StoreInUse
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane

HEALINGS_MAX = 8
"""Maximum number of damaged rows that one read repairs before it returns the batches it has. The next read
continues."""


async def next_batches(
    store: StoreInUse, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int
) -> list[Batch]:
    """Return the batches of `lane` above `after` that can be sent (`Buffer.next_batches`), those of the last commits
    from memory."""
    batches: list[Batch] = []
    present = store.present
    if present is not None and present.failure is None and limit_batches:
        recent = present.writer.recent_after(lane, after, limit_batches=limit_batches, limit_bytes=limit_bytes)
        if recent:
            return recent
    for _ in range(HEALINGS_MAX):
        try:
            batches, damaged = await store.read(
                _next, store.require_or_refuse(), lane, after, limit_batches, limit_bytes
            )
            if damaged is None or batches:
                break
            await store.task(partial(damage.heal, lane=lane, sequence=damaged.sequence))
        except StoreFull:
            # Not even the reserve has room for a gap record, or there is no store now. Only this lane stops until
            # there is room.
            break
    return batches


def _next(store: OpenStore, lane: Lane, after: int, limit_batches: int, limit_bytes: int) -> Any:
    # `last` is read on the reader's thread before the snapshot is taken: everything up to `last` is in the snapshot.
    last = store.writer.marks[lane].last
    return store.reader.next_batches(lane, after=after, last=last, limit_batches=limit_batches, limit_bytes=limit_bytes)
