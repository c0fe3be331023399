"""Stage live batches: make them durable in an object and acknowledge them, and write their rows together later.

A commit for each quarter of a second writes the last page of each table and index again, for each lane of each vehicle.
Objects of the same batches are written once. So while the load is low, live numerics and waveforms are staged, and the
rows of two minutes are written in one go: a tenth of the bytes. The database is then always consistent and at most as
much behind, and what is acknowledged beyond it is in the staged objects. Readers let the rows be written first
(`Ingest.settle` and `cloud.foundation.arrivals`), and so does a process that starts after another one was killed.

Ingest writes staged batches by the same code as all others, which recognises those that are written already. So any
process may write the batches of any staged object at any time, and then remove the object.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from cloud.foundation.clock import Clock
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore, ObjectStoreUnavailable
from cloud.vehicles.custody import FIRST_SEQUENCE, LaneKey, LaneMarks
from cloud.vehicles.fleet import GatewayName
from cloud.vehicles.ingest.acks import ack_of
from cloud.vehicles.ingest.delivery_group import Group, joined, rows_of
from cloud.vehicles.ingest.lane_tails import LaneTails
from cloud.vehicles.ingest.limits import IngestSettings
from cloud.vehicles.ingest.live_queue import BATCHES_FULL, ROWS_FULL
from cloud.vehicles.ingest.opening import Opened
from cloud.vehicles.ingest.source import DueAck
from cloud.vehicles.ingest.staged_object import StagedBatch, StagedObject, encode_staged, new_staged_name
from cloud.vehicles.ingest.status import StagedEnd
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

PUT_S_MAX = 1.0
"""Longest time for which live batches wait for their object. After it they are written to the database instead, as are
those of the next `OFF_S`."""
OFF_S = 30.0
NUMERICS_MAX = 16_000
"""Staged numerics after which the rows are written: a reader waits for them, some tenths of a second."""
GATEWAYS_MAX = 20_000
"""Gateways whose names are cached."""
BYTES_MAX = 8 << 20
"""Envelope bytes after which the rows are written: they are in memory, and their waveforms fill an object."""


@dataclass(frozen=True, slots=True)
class Staged:
    """The batches of one staged object, whose rows are not written yet."""

    name: str
    opened: Sequence[Opened]


class Stage:
    """The staged batches of one process."""

    def __init__(self, objects: ObjectStore, clock: Clock, ids: Ids, settings: IngestSettings) -> None:
        self.objects = objects
        self._clock = clock
        self._ids = ids
        self._settings = settings
        self._tails = LaneTails()
        self._queued = Group()
        self._queued_bytes = 0
        self._staged: list[Staged] = []
        self._staged_bytes = self._staged_numerics = 0
        self._first_s = 0.0
        self._off_until_s = 0.0
        self._lanes: Counter[LaneKey] = Counter()
        self._ends: dict[LaneKey, StagedEnd] = {}
        self._known: set[GatewayName] = set()
        self._names: set[str] = set()
        self._work = asyncio.Event()
        self._full = asyncio.Event()
        self._any = asyncio.Event()
        self._over = asyncio.Event()

    @property
    def names(self) -> frozenset[str]:
        """The names of the objects that this process stages or has staged, and has not written the rows of."""
        return frozenset(self._names)

    def admit(self, group: Group) -> None:
        """Remove the batches that may be staged from a group, and queue them."""
        refused = self._is_busy()
        taken: list[Opened] = []
        left: list[Opened] = []
        for one in group.opened:
            if refused or not self._tails.add(one):
                self._tails.forget([one.lane_key])
                left.append(one)
            else:
                taken.append(one)
        if not taken:
            return
        deliveries = {id(one.delivery) for one in taken}
        group.opened = left
        group.deliveries = [one for one in group.deliveries if id(one) not in deliveries]
        observations = sum(map(rows_of, taken))
        group.observations -= observations
        accepted = Group(opened=taken, deliveries=[one.delivery for one in taken], observations=observations)
        self._queued = joined([self._queued, accepted])
        self._queued_bytes += accepted.envelope_bytes
        self._work.set()
        if self._is_full():
            self._full.set()

    def learn(self, group: Group, acks: Sequence[DueAck]) -> None:
        """Note that a group was written at once, with these acknowledgements."""
        self._tails.learn(group.opened, acks)
        if len(self._known) >= GATEWAYS_MAX:
            self._known.clear()
        self._known.update(one.gateway_name for one in group.opened)

    def knows(self, name: GatewayName) -> bool:
        """Return whether this process has written batches of a gateway, so that no other process has staged some."""
        return name in self._known

    def ends(self) -> Mapping[LaneKey, StagedEnd]:
        """Return the ends of the lanes that have staged batches."""
        return dict(self._ends)

    def concerns(self, group: Group) -> bool:
        """Return whether staged batches must be written before a group: those of its lanes, and those of a gateway of
        which the group has another epoch (life of its store)."""
        if not self._lanes:
            return False
        epochs = {(key.tenant_id, key.gateway_id): key.epoch for key in self._lanes}
        return any(
            one.lane_key in self._lanes or epochs.get(one.gateway_name, one.batch.epoch) != one.batch.epoch
            for one in group.opened
        )

    async def run(
        self, send: Callable[[Sequence[DueAck]], Awaitable[None]], write_at_once: Callable[[Group], Awaitable[None]]
    ) -> None:
        """Stage the queued batches and acknowledge them, until cancelled. Batches of a third of a second share an
        object. If the object store is unavailable, `write_at_once` gets them, and those that arrived meanwhile: what is
        acknowledged must not follow a batch that is not durable."""
        next_s = 0.0
        loop = asyncio.get_running_loop()
        while True:
            await self._work.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(next_s):
                    await self._full.wait()
            next_s = loop.time() + self._settings.stage_wait_s
            group = self.take_queued()
            if await self.make_durable(group):
                await send(acks_of(group.opened))
                for delivery in group.deliveries:
                    await delivery.accept()
                continue
            self._off_until_s = loop.time() + OFF_S
            group = joined([group, self.take_queued()])
            self._tails.forget(one.lane_key for one in group.opened)
            await write_at_once(group)

    async def due(self) -> None:
        """Wait until the rows of staged batches are to be written."""
        loop = asyncio.get_running_loop()
        while True:
            await self._any.wait()
            due_s = self._first_s + self._settings.stage_s
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due_s):
                    await self._over.wait()
            if self._over.is_set() or (self._any.is_set() and loop.time() >= self._first_s + self._settings.stage_s):
                return

    def take(self) -> Sequence[Staged]:
        """Remove and return the staged batches. The caller calls `keep` or `drop` with them."""
        taken, self._staged = self._staged, []
        self._staged_bytes = self._staged_numerics = 0
        self._any.clear()
        self._over.clear()
        return taken

    def keep(self, staged: Sequence[Staged]) -> None:
        """Return batches that could not be written now. They are due again after `stage_s`."""
        later, self._staged = self._staged, []
        for one in (*staged, *later):
            self._append(one)

    def drop(self, staged: Sequence[Staged]) -> None:
        """Forget batches whose rows are written, or which are left in their objects."""
        for each in staged:
            self._names.discard(each.name)
            self._lanes.subtract(one.lane_key for one in each.opened)
        self._lanes = +self._lanes
        self._ends = {key: end for key, end in self._ends.items() if key in self._lanes}

    def take_queued(self) -> Group:
        """Remove and return the queued batches."""
        group, self._queued, self._queued_bytes = self._queued, Group(), 0
        self._work.clear()
        self._full.clear()
        return group

    async def make_durable(self, group: Group) -> bool:
        """Put the batches of a group into an object, from which they are acknowledged. Return False if the object store
        is not available."""
        now_us, name = self._clock.now_us(), new_staged_name(self._ids)
        opened = [replace(one, staged_at_us=now_us) for one in group.opened]
        data = encode_staged(StagedObject(now_us, [_to_stage(one) for one in opened]))
        self._names.add(name)
        try:
            async with asyncio.timeout(PUT_S_MAX):
                await self.objects.put(name, data)
        except (ObjectStoreUnavailable, TimeoutError) as error:
            self._names.discard(name)
            log.warning("ingest.batches_unstaged", batches=len(opened), error=type(error).__name__)
            return False
        except BaseException:
            self._names.discard(name)
            raise
        self._lanes.update(one.lane_key for one in opened)
        self._ends.update({one.lane_key: StagedEnd(one.batch.sequence, one.hash) for one in opened})
        self._append(Staged(name, opened))
        return True

    def _append(self, staged: Staged) -> None:
        if not self._staged:
            self._first_s = asyncio.get_running_loop().time()
            self._any.set()
        self._staged.append(staged)
        self._staged_bytes += sum(len(one.delivery.octets) for one in staged.opened)
        self._staged_numerics += _numerics_of(staged.opened)
        if self._staged_bytes >= BYTES_MAX or self._staged_numerics >= NUMERICS_MAX:
            self._over.set()

    def _is_full(self) -> bool:
        return len(self._queued.opened) >= BATCHES_FULL or self._queued.observations >= ROWS_FULL

    def _is_busy(self) -> bool:
        """Return whether batches are to be written at once: under a high load groups are full, so staging saves
        nothing, and with too many staged batches or a slow object store there is no room."""
        return (
            self._is_full()
            or self._queued_bytes + self._staged_bytes >= 2 * BYTES_MAX
            or self._staged_numerics >= 2 * NUMERICS_MAX
            or asyncio.get_running_loop().time() < self._off_until_s
        )


def _numerics_of(opened: Iterable[Opened]) -> int:
    return sum(rows_of(one) for one in opened if one.batch.lane is not Lane.WAVEFORM)


def _to_stage(one: Opened) -> StagedBatch:
    return StagedBatch(
        tenant_id=one.gateway.tenant_id,
        gateway_id=one.gateway.id,
        organization_id=one.gateway.organization_id,
        vehicle_id=one.gateway.vehicle_id,
        lane=one.batch.lane,
        received_at_us=one.delivery.received_at_us,
        envelope=one.delivery.octets,
    )


def acks_of(opened: Sequence[Opened]) -> list[DueAck]:
    """Return one acknowledgement for each lane (numbered stream of batches): all its batches up to the last one of the
    group are stored, since a batch is staged only behind the last one that was stored."""
    last = {one.lane_key: one for one in opened}
    return [
        DueAck(
            key.tenant_id,
            key.gateway_id,
            ack_of(
                key.epoch,
                key.lane,
                LaneMarks().adding(FIRST_SEQUENCE, one.batch.sequence),
                contested=False,
                through_hash=one.hash,
            ),
        )
        for key, one in last.items()
    ]
