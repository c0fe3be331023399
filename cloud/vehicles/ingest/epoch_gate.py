"""Judge the epochs of a group of batches: begin new ones, report contested ones, apply the gateway's epoch quota.

An epoch is one life of a gateway's store. The cloud never deletes the rows of an epoch, and the holder of a gateway's
key can name a new epoch in each batch. So above the quota a batch of a new epoch is held back: it is neither stored nor
acknowledged, and the gateway resends it until the quota allows it. This quota never holds back batches of a known
epoch.
"""

from collections.abc import Sequence
from typing import assert_never

from cloud.foundation.db import Transaction
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.epochs import judge_epoch
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.quotas import Need, QuotaCharges
from cloud.vehicles.ingest.store import EpochStore, KnownEpoch
from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch


class EpochGate:
    """Judge the epochs (lives of a gateway's store) of the batches in one transaction."""

    def __init__(
        self, tx: Transaction, *, epochs: EpochStore, charges: QuotaCharges, events: BatchEvents, now_us: int
    ) -> None:
        self._tx = tx
        self._epochs = epochs
        self._charges = charges
        self._events = events
        self._now_us = now_us

    async def admit(self, of_each_lane: Sequence[Opened]) -> set[LaneKey]:
        """Return the lanes (numbered streams of batches) of one gateway whose batches may be stored. Lanes of a new
        epoch (life of the gateway's store) above the quota are left out. `of_each_lane` has one batch of each lane. The
        caller must have loaded the gateway's quotas, and must not have charged anything to them in this transaction."""
        admitted: set[LaneKey] = set()
        known: Sequence[KnownEpoch] | None = None
        for one in of_each_lane:
            key = one.lane_key
            if known is None:
                known = await self._epochs.of_gateway(self._tx, key.tenant_id, key.gateway_id)
            match self._judge(one, known):
                case CurrentEpoch():
                    pass
                case ReturnedEpoch(instead_of):
                    if await self._epochs.contest(self._tx, key, self._now_us):
                        contested = {"epoch": key.epoch, "instead_of": instead_of}
                        await self._events.emit(one, event_types.IDENTITY_CONTESTED, contested)
                case NewEpoch() | EarlierEpoch() as beginning:
                    is_known = any(epoch.epoch == key.epoch for epoch in known)
                    if not is_known and not await self._charges.may_begin_epoch(one.gateway_name):
                        continue
                    await self._begin(one, beginning, since_us=known[-1].began_us if known else self._now_us)
                    if not is_known:
                        self._charges.charge(one.gateway_name, Need(epochs=1))
                    known = None
                case other:
                    assert_never(other)
            admitted.add(key)
        return admitted

    async def _begin(self, one: Opened, beginning: NewEpoch | EarlierEpoch, *, since_us: int) -> None:
        """Store a new epoch (life of the gateway's store). `since_us` is the time at which the current epoch began."""
        key = one.lane_key
        if isinstance(beginning, EarlierEpoch):
            await self._epochs.remember_earlier(self._tx, key, current_since_us=since_us)
        elif await self._epochs.begin(self._tx, key, replaces=beginning.replaces, now_us=self._now_us):
            began = {"epoch": key.epoch, "replaces": beginning.replaces}
            await self._events.emit(one, event_types.EPOCH_STARTED, began)

    def _judge(self, one: Opened, known: Sequence[KnownEpoch]) -> EpochVerdict:
        current = known[-1] if known else None
        return judge_epoch(
            one.batch.epoch,
            known=frozenset(epoch.epoch for epoch in known),
            current=current.epoch if current else None,
            current_since_us=current.began_us if current else 0,
            now_us=self._now_us,
            historical=one.envelope.historical,
            history_only=frozenset(epoch.epoch for epoch in known if epoch.history_only),
        )
