"""Let the erasures at work search again what the unpacking of an object moves from packed runs to rows.

The search for batches without rows reads the rows of a lane before its packed runs. Of two erasures of one tenant, one
may unpack an object after the other one has read the rows, and before it reads the runs: it would find these batches in
neither place. So in the transaction that moves them, each such search is set back to the first batch that it has not
read.
"""

from collections.abc import Sequence

import orjson

from cloud.clinical.waveforms import Run
from cloud.foundation.db import Transaction
from cloud.vehicles.erasure.model import Phase
from cloud.vehicles.erasure.store import ErasureStore


class SearchesSetBack:
    """The rule of `RunUnpacker` about erasures that are at work."""

    def __init__(self, store: ErasureStore) -> None:
        self._store = store

    async def set_back(self, tx: Transaction, moving: Sequence[Run]) -> None:
        """Set back the searches that have passed batches of these runs. Call it first in the transaction, since a step
        locks its erasure before lanes and objects."""
        for erasure in await self._store.lock_in_phase(tx, Phase.ENVELOPES):
            position = orjson.loads(erasure.position)
            earlier = position_before(position, moving)
            if earlier != position:
                await self._store.move_to(tx, erasure, earlier)


def position_before(position: Sequence[int], moving: Sequence[Run]) -> list[int]:
    """Return where a search at `position` (`envelope_phases`) continues, so that it reads the batches of all these runs
    that it has not read."""
    if not position:
        return []
    lane_id, after, *rest = position
    in_runs = rest == [1]
    searched = after if in_runs else (rest[1] if rest else 0)
    unread = [run.sequence for run in moving if run.lane_id == lane_id and run.sequence > searched]
    if not unread or (not in_runs and after < min(unread)):
        return list(position)
    return [lane_id, min(unread) - 1, 0, searched]
