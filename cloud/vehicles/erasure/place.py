"""The parts that the steps of an erasure work with, and the beginning and end that all steps have in common."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from cloud.clinical.epcr import JoinedReport
from cloud.clinical.observations import ErasedValues, Numbers
from cloud.clinical.waveforms import REPACK_US, WaveformEnvelopes
from cloud.foundation.clock import Clock
from cloud.foundation.db import Database, Transaction
from cloud.foundation.ids import Ids
from cloud.foundation.master_key import MasterKey
from cloud.foundation.objects import ObjectStore
from cloud.foundation.viewer import Actor
from cloud.vehicles.custody import ErasureSeals, RemovedRange
from cloud.vehicles.erasure.errors import EncounterHeld
from cloud.vehicles.erasure.holds import check_holds
from cloud.vehicles.erasure.model import Erasure, Progress
from cloud.vehicles.erasure.moved_batches import SearchesSetBack
from cloud.vehicles.erasure.store import ErasureStore
from cloud.vehicles.packing import RunUnpacker

OBJECT_AGE_US = 2 * REPACK_US
"""Age of an object from which it is changed. Ingest may still index further batches of a younger one: it packs a group
that it cannot write again after `REPACK_US`. Clocks of two machines may differ by an hour."""


@dataclass(frozen=True, slots=True)
class ErasingPlace:
    """Database, clock, ids, object store and master key of the process that erases. The key is read when a step needs
    it, since most installations have no erasure. `objects` is None when the settings name no object store."""

    database: Database
    clock: Clock
    ids: Ids
    master: Callable[[], MasterKey]
    objects: ObjectStore | None = None
    store: ErasureStore = field(default_factory=ErasureStore)
    numbers: Numbers = field(default_factory=Numbers)

    @property
    def envelopes(self) -> WaveformEnvelopes:
        return WaveformEnvelopes(self.objects)

    @property
    def unpacker(self) -> RunUnpacker:
        return RunUnpacker(self.database, self.objects, self.clock, SearchesSetBack(self.store).set_back)

    async def values_of(self, tx: Transaction, erasure: Erasure) -> ErasedValues:
        """Return the observations of an erased encounter."""
        intervals = await self.store.intervals(tx, erasure.erasure_id)
        return await ErasedValues.find(tx, erasure.tenant_id, erasure.encounter_id, intervals)

    async def reports_of(self, tx: Transaction, erasure: Erasure) -> frozenset[JoinedReport]:
        """Return the reports of the crew that are erased with an encounter."""
        return await self.store.reports(tx, erasure.erasure_id)

    @asynccontextmanager
    async def step(self, erasure: Erasure) -> AsyncIterator["Step"]:
        """Run one step in a transaction. The block sets `progress`, which is stored with the step. Raises `StepTaken`
        if another process did this step, and `EncounterHeld` if a hold was placed meanwhile."""
        async with self.database.transaction() as tx:
            await self.store.lock(tx, erasure)
            values = await self.values_of(tx, erasure)
            reports = await self.reports_of(tx, erasure)
            held = await check_holds(tx, Actor.operator(erasure.tenant_id), erasure, values, reports)
            sealer = RangeSeals(erasure.erasure_id, ErasureSeals(self.master()))
            step = Step(tx, values, reports, sealer, held)
            yield step
            if step.progress is not None:
                await self.store.keep(tx, erasure, step.progress, self.clock.now_us())


@dataclass(frozen=True, slots=True)
class RangeSeals:
    """Seals the ranges of one erasure (`RangeSealer`)."""

    erasure_id: str
    seals: ErasureSeals

    def seal(self, removed: RemovedRange) -> bytes:
        return self.seals.of_range(removed)


@dataclass(slots=True)
class Step:
    """A step of an erasure within its transaction. No batch of `held_gateways` may be removed. `progress` None: nothing
    is to be stored."""

    tx: Transaction
    values: ErasedValues
    reports: frozenset[JoinedReport]
    sealer: RangeSeals
    held_gateways: frozenset[str]
    progress: Progress | None = None

    def check_gateway(self, gateway_id: str) -> None:
        """Raise `EncounterHeld` if no batch of a gateway may be removed."""
        if gateway_id in self.held_gateways:
            raise EncounterHeld(f"(Batches of the gateway {gateway_id} have values of it.)")
