"""The batches that this process has staged, and whose rows are not written yet.

They are kept as envelopes: what they unpack to is larger by a factor that the gateway chooses, and is made again when
their rows are written, one group at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Self

import structlog

from cloud.foundation.arrivals import WantedDevices
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.fleet import GatewayName, RegisteredGateway
from cloud.vehicles.ingest.delivery_group import Group, rows_of
from cloud.vehicles.ingest.opening import Opened, UnpackedContent, UnreadablePayload, open_delivery, unpack
from cloud.vehicles.ingest.source import BatchDelivery
from cloud.vehicles.ingest.staged_object import StagedBatch
from cloud.vehicles.ingest.status import StagedEnd
from protocols.uplink.block_runs import BlockHead
from protocols.uplink.envelope import decode_envelope
from protocols.uplink.lanes import Lane

log = structlog.get_logger()

NUMERICS_MAX = 64_000
"""Staged numerics after which the rows are written: a reader waits for them, about a second. The more there are, the
more values of a channel share a minute row: with 16,000, four hundred vehicles had two values in each."""
BATCHES_MAX = 16_000
"""Staged batches after which the rows are written. Each takes about a kilobyte beside its envelope."""
BYTES_MAX = 16 << 20
"""Envelope bytes after which the rows are written: they are in memory, and their waveforms fill an object."""
ROOM = 4
"""Room for batches as a multiple of those after which rows are written, since further ones arrive meanwhile."""
ROOM_WAIT_S = 5.0
"""Longest time for which batches wait for room. Then they are written at once, which costs several times as much: a
cloud that wrote them so because it was behind would never catch up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedEnvelope:
    """A batch in a staged object, without what it unpacks to. Its signature was verified by the key of `gateway`, and
    `hash` is its chain hash. `system_ids` are those of its devices. `memory_bytes` is the size of the envelope and of
    what it unpacks to."""

    object_name: str
    staged_at_us: int
    delivery: BatchDelivery
    gateway: RegisteredGateway
    lane_key: LaneKey
    sequence: int
    hash: bytes
    system_ids: tuple[str, ...]
    rows: int
    memory_bytes: int

    @classmethod
    def of(cls, one: Opened, object_name: str, staged_at_us: int) -> Self:
        return cls(
            object_name=object_name,
            staged_at_us=staged_at_us,
            delivery=one.delivery,
            gateway=one.gateway,
            lane_key=one.lane_key,
            sequence=one.batch.sequence,
            hash=one.hash,
            system_ids=_system_ids_of(one),
            rows=rows_of(one),
            memory_bytes=one.need.bytes,
        )

    @property
    def is_waveform(self) -> bool:
        return self.lane_key.lane is Lane.WAVEFORM

    @property
    def envelope_bytes(self) -> int:
        return len(self.delivery.octets)

    @property
    def numerics(self) -> int:
        return 0 if self.is_waveform else self.rows

    def open(self) -> Opened | None:
        """Unpack the batch. It is not verified again: its bytes have been in memory since. If its payload meets an
        error in the cloud's code, it is unreadable: it was acknowledged, and the chain keeps it for a repaired cloud.
        None: even the envelope meets an error, though it was opened before."""
        try:
            envelope = decode_envelope(self.delivery.octets)
        except Exception as error:
            _log_failure(self.gateway, error)
            return None
        content: UnpackedContent
        try:
            content = unpack(envelope.batch)
        except Exception as error:
            _log_failure(self.gateway, error)
            content = UnreadablePayload("an error in the cloud prevents that its rows are written")
        return Opened(
            delivery=self.delivery,
            gateway=self.gateway,
            envelope=envelope,
            hash=self.hash,
            content=content,
            staged_at_us=self.staged_at_us,
        )


def _system_ids_of(one: Opened) -> tuple[str, ...]:
    return tuple([device.system_id for device in one.content.devices]) if isinstance(one.content, BlockHead) else ()


def staged_batch_of(one: Opened) -> StagedBatch:
    """Return a batch as it is put into an object, of which `open_again` opens it."""
    return StagedBatch(
        tenant_id=one.gateway.tenant_id,
        gateway_id=one.gateway.id,
        organization_id=one.gateway.organization_id,
        vehicle_id=one.gateway.vehicle_id,
        lane=one.batch.lane,
        received_at_us=one.delivery.received_at_us,
        envelope=one.delivery.octets,
    )


def open_again(delivery: BatchDelivery, gateway: RegisteredGateway) -> Opened | None:
    """Open a batch of a staged object, and read the head of its payload. None: it is not of this key, or met an error
    in the cloud's code."""
    try:
        found = open_delivery(delivery, gateway, unpacks=False)
    except Exception as error:
        _log_failure(gateway, error)
        return None
    return found if isinstance(found, Opened) else None


def _log_failure(gateway: RegisteredGateway, error: Exception) -> None:
    """Log an error in the cloud's code, which must not end ingest. Its text may have values of a patient, so it is not
    logged."""
    log.error("ingest.staged_batch_failed", gateway=gateway.id, error=type(error).__name__)


class StagedEnvelopes:
    """The staged batches of one process whose rows are not written: those that are taken by a writer, and the others.
    Rows are due `stage_s` seconds after the first batch, or when the batches take too much memory."""

    def __init__(self, stage_s: float) -> None:
        self._stage_s = stage_s
        self._untaken: dict[bool, list[StagedEnvelope]] = {False: [], True: []}
        self._first_s = 0.0
        self._lanes: Counter[LaneKey] = Counter()
        self._system_ids: dict[LaneKey, set[str]] = {}
        """The devices of the batches of each lane."""
        self._ends: dict[LaneKey, StagedEnd] = {}
        self._objects: Counter[str] = Counter()
        self._bytes = self._numerics = self._batches = 0
        self.waveforms = 0
        """Number of the batches of waveforms."""
        self._any = asyncio.Event()
        self._over = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    @property
    def object_names(self) -> frozenset[str]:
        """The names of the objects that have such batches."""
        return frozenset(self._objects)

    @property
    def has_room(self) -> bool:
        """Return whether more batches may be staged, also while the rows of others are being written."""
        return self._room.is_set()

    async def wait_for_room(self) -> None:
        """Wait until more batches may be staged, for `ROOM_WAIT_S` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ROOM_WAIT_S):
                await self._room.wait()

    def has(self, key: LaneKey) -> bool:
        """Return whether there are such batches of a lane."""
        return key in self._lanes

    def ends(self) -> Mapping[LaneKey, StagedEnd]:
        """Return the first and the last of the batches of each lane."""
        return dict(self._ends)

    def lanes_before(self, group: Group) -> set[LaneKey]:
        """Return the lanes whose batches must be written before a group: those that it continues, and those of a
        gateway of which the group has another epoch (life of its store)."""
        if not self._lanes:
            return set()
        continued = {one.lane_key for one in group.opened}
        epochs: dict[GatewayName, set[str]] = {}
        for key in continued:
            epochs.setdefault((key.tenant_id, key.gateway_id), set()).add(key.epoch)
        return {
            key
            for key in self._lanes
            if key in continued or epochs.get((key.tenant_id, key.gateway_id), set()) - {key.epoch}
        }

    def lanes_with(self, wanted: WantedDevices, *, waveforms: bool) -> set[LaneKey]:
        """Return the lanes whose batches may have values of these devices; without `waveforms`, those of numerics."""
        if wanted.system_ids is not None and not wanted.system_ids:
            return set()
        return {
            key
            for key, system_ids in self._system_ids.items()
            if key.tenant_id == wanted.tenant_id
            and (waveforms or key.lane is not Lane.WAVEFORM)
            and (wanted.system_ids is None or not system_ids.isdisjoint(wanted.system_ids))
        }

    def add(self, batches: Sequence[StagedEnvelope]) -> None:
        """Add batches that are durable. Those of each lane follow each other, and the ones that were added before."""
        for one in batches:
            self._lanes[one.lane_key] += 1
            self._system_ids.setdefault(one.lane_key, set()).update(one.system_ids)
            self._objects[one.object_name] += 1
            first = self._ends[one.lane_key].first if one.lane_key in self._ends else one.sequence
            self._ends[one.lane_key] = StagedEnd(first, one.sequence, one.hash)
        self._count(batches, 1)
        self._put(batches)
        if self._bytes >= BYTES_MAX or self._numerics >= NUMERICS_MAX or self._batches >= BATCHES_MAX:
            self._over.set()

    @property
    def numerics(self) -> int:
        """Number of the batches of numerics."""
        return self._batches - self.waveforms

    async def due(self) -> None:
        """Wait until rows are to be written."""
        loop = asyncio.get_running_loop()
        while True:
            await self._any.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._first_s + self._stage_s):
                    await self._over.wait()
            if self._over.is_set() or (self._any.is_set() and loop.time() >= self._first_s + self._stage_s):
                return

    def take(self, keys: Collection[LaneKey] | None, *, waveforms: bool) -> list[StagedEnvelope]:
        """Return the waveforms or the numerics of these lanes, None: of all lanes. The caller calls `drop` or `keep`
        with them."""
        untaken = self._untaken[waveforms]
        if keys is None:
            taken, self._untaken[waveforms] = untaken, []
        else:
            taken = [one for one in untaken if one.lane_key in keys]
            self._untaken[waveforms] = [one for one in untaken if one.lane_key not in keys]
        if not any(self._untaken.values()):
            self._any.clear()
        if keys is None and waveforms:
            self._over.clear()
        return taken

    def keep(self, taken: Sequence[StagedEnvelope]) -> None:
        """Return batches that could not be written now. They are due again after `stage_s`."""
        self._first_s = asyncio.get_running_loop().time()
        self._put(taken)

    def drop(self, taken: Sequence[StagedEnvelope]) -> list[str]:
        """Forget batches whose rows are written, or which are left in their objects. Return the names of the objects
        that have no others."""
        self._count(taken, -1)
        for one in taken:
            self._lanes[one.lane_key] -= 1
            self._objects[one.object_name] -= 1
        left = +self._lanes
        for one in taken:
            if one.lane_key not in left:
                self._ends.pop(one.lane_key, None)
                self._system_ids.pop(one.lane_key, None)
            else:
                end = self._ends[one.lane_key]
                self._ends[one.lane_key] = replace(end, first=max(end.first, one.sequence + 1))
        self._lanes = left
        names = sorted({one.object_name for one in taken if not self._objects[one.object_name]})
        self._objects = +self._objects
        return names

    def _put(self, batches: Sequence[StagedEnvelope]) -> None:
        if not any(self._untaken.values()):
            self._first_s = asyncio.get_running_loop().time()
        for one in batches:
            self._untaken[one.is_waveform].append(one)
        if batches:
            self._any.set()

    def _count(self, batches: Iterable[StagedEnvelope], sign: int) -> None:
        for one in batches:
            self._bytes += sign * one.envelope_bytes
            self._numerics += sign * one.numerics
            self._batches += sign
            self.waveforms += sign * one.is_waveform
        if (
            self._bytes < ROOM * BYTES_MAX
            and self._numerics < ROOM * NUMERICS_MAX
            and self._batches < ROOM * BATCHES_MAX
        ):
            self._room.set()
        else:
            self._room.clear()
