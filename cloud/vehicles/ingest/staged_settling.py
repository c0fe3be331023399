"""Write the rows of staged batches for the readers who need them; readers who wait at the same time share the work."""

from collections.abc import Mapping
from functools import partial
from typing import Protocol

from cloud.foundation.arrivals import WantedDevices
from cloud.foundation.objects import ObjectStoreUnavailable
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.ingest.shared_runs import SharedRuns
from cloud.vehicles.ingest.staged_elsewhere import StagedElsewhere
from cloud.vehicles.ingest.staging import Stage
from protocols.uplink.lanes import Lane


class Flush(Protocol):
    """A function that writes the rows of the batches of these lanes that this process has staged; None: of all."""

    async def __call__(self, keys: set[LaneKey] | None = None, *, waveforms: bool = True) -> None: ...


class StagedSettling:
    """Writes the rows of staged batches for readers: `flush` writes those of this process, `elsewhere` has those of the
    other processes written (False: of numerics, True: all). Writes begin at least `every_s` apart."""

    def __init__(
        self, stage: Stage, flush: Flush, elsewhere: Mapping[bool, StagedElsewhere], *, every_s: float
    ) -> None:
        self._stage = stage
        self._flush = flush
        self._wanted: dict[bool, set[LaneKey] | None] = {False: set(), True: set()}
        """The lanes that the next run writes; None: all."""
        self._runs = {
            each: SharedRuns(partial(self._write_wanted, waveforms=each), every_s=every_s) for each in elsewhere
        }
        self._elsewhere_runs = {each: SharedRuns(one.settle) for each, one in elsewhere.items()}

    async def settle(self, *, waveforms: bool = True, of: WantedDevices | None = None) -> None:
        """Wait until the rows of all batches are written that were staged before the call, by any process. Raises as
        `flush`, and within `WAIT_S_MAX`. Without `waveforms`, those may stay staged, and so may what this process has
        staged without values `of` these devices."""
        unwritten = self._stage.unwritten
        if of is not None:
            if keys := unwritten.lanes_with(of, waveforms=waveforms):
                self._want(keys, waveforms=waveforms)
                await self._runs[waveforms].join()
        elif unwritten.numerics or (waveforms and unwritten.waveforms):
            self._want(None, waveforms=waveforms)
            await self._runs[waveforms].join()
        await self._elsewhere_runs[waveforms].join()

    async def settle_own(self, *, waveforms: bool) -> None:
        """Wait until the rows of all batches are written that this process has staged before, however long it takes."""
        self._want(None, waveforms=waveforms)
        await self._runs[waveforms].join_to_the_end()

    async def settle_elsewhere(self) -> None:
        """Wait until the rows of all batches are written that other processes staged before the call. Raises as
        `settle`."""
        await self._elsewhere_runs[True].join()

    def _want(self, keys: set[LaneKey] | None, *, waveforms: bool) -> None:
        wanted = self._wanted[waveforms]
        self._wanted[waveforms] = None if keys is None or wanted is None else wanted | keys

    async def _write_wanted(self, *, waveforms: bool) -> None:
        keys, self._wanted[waveforms] = self._wanted[waveforms], set()
        if keys is None or not self._stage.outage.lasts or all(key.lane is not Lane.WAVEFORM for key in keys):
            await self._flush(keys, waveforms=waveforms)
        else:
            await self._flush(keys, waveforms=False)
            raise ObjectStoreUnavailable
