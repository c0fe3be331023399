"""The batches of one lane that were committed last, in memory.

The uplink sends a batch at once and is acknowledged within seconds, so it rarely has to read the file: a read takes a
tenth of the processor time of a batch. Each commit makes a new tuple, so another thread reads it without a lock.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from protocols.uplink.envelope import Batch

RECENT_MAX: Final = 8
"""Number of batches of a lane that are kept: those of eight seconds, the delay of a cloud under load."""
RECENT_BYTES_MAX: Final = 64 << 10
"""Bytes of their payloads; the last one is kept whatever its size. The batches of a vehicle's second have 4 kB."""


class RecentBatch(NamedTuple):
    """A batch, and the number of observations of its lane up to its end."""

    batch: Batch
    observations_total: int


RecentBatches = tuple[RecentBatch, ...]
"""Batches with consecutive sequence numbers."""


def append(recent: RecentBatches, batch: Batch, observations_total: int) -> RecentBatches:
    """Return `recent` with a batch that was committed now. It replaces the earlier version of a batch that grew."""
    kept = [each for each in recent[1 - RECENT_MAX :] if each.batch.sequence < batch.sequence]
    size_bytes = len(batch.payload) + sum([len(each.batch.payload) for each in kept])
    while kept and size_bytes > RECENT_BYTES_MAX:
        size_bytes -= len(kept.pop(0).batch.payload)
    return (*kept, RecentBatch(batch, observations_total))


def batches_after(
    recent: Sequence[RecentBatch], after: int, last: int, *, limit_batches: int, limit_bytes: int
) -> list[Batch]:
    """Return the batches from `after` + 1 to `last` within both limits, but at least one; nothing if the first of them
    is not in `recent`."""
    found: list[Batch] = []
    size_bytes = 0
    for each in recent:
        batch = each.batch
        if not after < batch.sequence <= last:
            continue
        size_bytes += len(batch.payload)
        if not found and batch.sequence != after + 1:
            break
        if found and (size_bytes > limit_bytes or len(found) >= limit_batches):
            break
        found.append(batch)
    return found


def observations_at(recent: Sequence[RecentBatch], sequence: int) -> int | None:
    """Return the number of observations of the lane up to a batch; None if the batch is not in `recent`."""
    return next((each.observations_total for each in recent if each.batch.sequence == sequence), None)
