"""Judge the epochs of a group of batches: begin new ones, report contested ones, apply the gateway's epoch quota.

An epoch is one life of a gateway's store. The cloud never deletes the rows of an epoch, and the holder of a gateway's
key can name a new epoch in each batch. So above the quota a batch of a new epoch is held back: it is neither stored nor
acknowledged, and the gateway resends it until the quota allows it. This quota never holds back batches of a known
epoch.

The epochs of all gateways of a group are read with one statement, judged, and written with one statement for each kind
of change.
"""

from bisect import insort
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import assert_never

from cloud.foundation.db import Transaction
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest import event_types
from cloud.vehicles.ingest.batch_events import BatchEvents
from cloud.vehicles.ingest.epochs import judge_epoch
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.quotas import Need, QuotaCharges
from cloud.vehicles.ingest.store import Beginning, EpochName, EpochStore, KnownEpoch
from cloud.vehicles.ingest.verdicts import CurrentEpoch, EarlierEpoch, EpochVerdict, NewEpoch, ReturnedEpoch

_ORDER = attrgetter("began_us", "epoch")


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
        self._begun: dict[EpochName, Beginning] = {}
        self._starting: dict[EpochName, Opened] = {}
        self._returned: dict[EpochName, tuple[Opened, str]] = {}

    async def admit(self, of_gateways: Mapping[GatewayName, Sequence[Opened]]) -> set[LaneKey]:
        """Return the lanes (numbered streams of batches) whose batches may be stored. Lanes of a new epoch (life of the
        gateway's store) above the quota are left out. `of_gateways` has one batch of each lane. The caller must have
        loaded the gateways' quotas, and must not have charged anything to them in this transaction."""
        known = await self._epochs.of_gateways(self._tx, of_gateways.keys())
        # Another worker may have begun epochs, so the quota of new epochs is read from the database.
        await self._charges.load(
            [
                name
                for name, of_each_lane in of_gateways.items()
                if not {one.batch.epoch for one in of_each_lane} <= {epoch.epoch for epoch in known[name]}
            ],
            afresh=True,
        )
        admitted = {
            one.lane_key
            for name, of_each_lane in of_gateways.items()
            for one in of_each_lane
            if self._admits(one, known[name])
        }
        await self._write()
        return admitted

    def _admits(self, one: Opened, known: list[KnownEpoch]) -> bool:
        """Return whether a batch may be stored. A new epoch is added to the gateway's `known` epochs."""
        name = (*one.gateway_name, one.batch.epoch)
        match self._judge(one, known):
            case CurrentEpoch():
                pass
            case ReturnedEpoch(instead_of):
                if not any(epoch.epoch == one.batch.epoch and epoch.contested_us is not None for epoch in known):
                    self._returned.setdefault(name, (one, instead_of))
            case NewEpoch(replaces):
                if not self._may_begin(one, known):
                    return False
                self._begin(one, known, Beginning(self._now_us, replaces))
                self._starting[name] = one
            case EarlierEpoch():
                if not self._may_begin(one, known):
                    return False
                since_us = known[-1].began_us if known else self._now_us
                self._begin(one, known, Beginning(since_us - 1, one.batch.epoch, history_only=True))
            case other:
                assert_never(other)
        return True

    def _may_begin(self, one: Opened, known: Sequence[KnownEpoch]) -> bool:
        """Charge a new epoch to the gateway's quota. Return False if the quota does not allow it."""
        if any(epoch.epoch == one.batch.epoch for epoch in known):
            return True  # its historical batches came first, and it was charged with them
        if not self._charges.may_begin_epoch(one.gateway_name):
            return False
        self._charges.charge(one.gateway_name, Need(epochs=1))
        return True

    def _begin(self, one: Opened, known: list[KnownEpoch], beginning: Beginning) -> None:
        epoch = one.batch.epoch
        self._begun[*one.gateway_name, epoch] = beginning
        known[:] = [other for other in known if other.epoch != epoch]
        begun = KnownEpoch(
            epoch=epoch, began_us=beginning.began_us, contested_us=None, history_only=beginning.history_only
        )
        insort(known, begun, key=_ORDER)

    async def _write(self) -> None:
        """Store the changes to epochs, and emit the events of those that no other worker has stored before."""
        began = await self._epochs.begin(self._tx, self._begun)
        for name, one in self._starting.items():
            if name in began:
                started = {"epoch": one.batch.epoch, "replaces": self._begun[name].replaces}
                self._events.add(one, event_types.EPOCH_STARTED, started)
        newly_contested = await self._epochs.contest(self._tx, self._returned.keys(), self._now_us)
        for name, (one, instead_of) in self._returned.items():
            if name in newly_contested:
                contested = {"epoch": one.batch.epoch, "instead_of": instead_of}
                self._events.add(one, event_types.IDENTITY_CONTESTED, contested)

    def _judge(self, one: Opened, known: Sequence[KnownEpoch]) -> EpochVerdict:
        current = known[-1] if known else None
        return judge_epoch(
            one.batch.epoch,
            known=frozenset(epoch.epoch for epoch in known),
            current=current.epoch if current else None,
            current_since_us=current.began_us if current else 0,
            now_us=self._now_us,
            # A staged batch was live when it was acknowledged. Its epoch may have ended since.
            historical=one.envelope.historical or one.staged_at_us is not None,
            history_only=frozenset(epoch.epoch for epoch in known if epoch.history_only),
        )
