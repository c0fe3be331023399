"""The batches that this process has staged, and whose rows are not written yet.

They are kept as envelopes: what they unpack to is larger by a factor that the gateway chooses, and is made again when
their rows are written, one group at a time.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Self

import structlog

from cloud.foundation.arrivals import WantedDevices
from cloud.vehicles.custody import LaneKey
from cloud.vehicles.fleet import GatewayName, RegisteredGateway
from cloud.vehicles.ingest.delivery_group import Group, rows_of
from cloud.vehicles.ingest.opening import Opened, UnpackedContent, UnreadablePayload, open_delivery, unpack
from cloud.vehicles.ingest.source import BatchDelivery
from cloud.vehicles.ingest.staged_object import StagedBatch
from cloud.vehicles.ingest.staging_room import SHARES, Share, StagingRoom
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
    def gateway_name(self) -> GatewayName:
        return self.lane_key.tenant_id, self.lane_key.gateway_id

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


@dataclass(slots=True)
class _StagedLane:
    """The batches of one lane: `untaken` are those that no writer has taken, and `batches` is the number of all. `end`
    has the first and the last of them, and `system_ids` are those of their devices."""

    end: StagedEnd
    untaken: list[StagedEnvelope] = field(default_factory=list)
    system_ids: set[str] = field(default_factory=set)
    batches: int = 0


class StagedEnvelopes:
    """The staged batches of one process whose rows are not written: those that are taken by a writer, and the others.
    Rows are due `stage_s` seconds after the first batch, or when the batches take too much memory."""

    def __init__(self, stage_s: float) -> None:
        self._stage_s = stage_s
        self._first_s = 0.0
        self._lanes: dict[LaneKey, _StagedLane] = {}
        self._keys: dict[GatewayName, set[LaneKey]] = {}
        """The lanes of each gateway."""
        self._objects: Counter[str] = Counter()
        self._room = StagingRoom()
        self._untaken = 0
        """Number of the batches that no writer has taken."""
        self.waveforms = 0
        """Number of the batches of waveforms."""
        self._any = asyncio.Event()
        self._over = asyncio.Event()
        self._has_room = asyncio.Event()
        self._has_room.set()

    @property
    def object_names(self) -> frozenset[str]:
        """The names of the objects that have such batches."""
        return frozenset(self._objects)

    @property
    def numerics(self) -> int:
        """Number of the batches of numerics."""
        return self._room.batches - self.waveforms

    @property
    def has_room(self) -> bool:
        """Return whether more batches may be staged, also while the rows of others are being written."""
        return self._has_room.is_set()

    def has_room_for(self, one: Opened) -> bool:
        """Return whether another batch may be staged: of each gateway as many as make rows due, and some times as many
        of all."""
        numerics = 0 if one.batch.lane is Lane.WAVEFORM else rows_of(one)
        share = Share(BYTES_MAX, NUMERICS_MAX, BATCHES_MAX)
        return self._room.has_room(one.gateway_name, share, len(one.delivery.octets), numerics)

    async def wait_for_room(self) -> None:
        """Wait until more batches may be staged, for `ROOM_WAIT_S` at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(ROOM_WAIT_S):
                await self._has_room.wait()

    def has(self, key: LaneKey) -> bool:
        """Return whether there are such batches of a lane."""
        return key in self._lanes

    def ends(self) -> Mapping[LaneKey, StagedEnd]:
        """Return the first and the last of the batches of each lane."""
        return {key: lane.end for key, lane in self._lanes.items()}

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
            for name, of_group in epochs.items()
            for key in self._keys.get(name, ())
            if key in continued or of_group - {key.epoch}
        }

    def lanes_with(self, wanted: WantedDevices, *, waveforms: bool) -> set[LaneKey]:
        """Return the lanes whose batches may have values of these devices; without `waveforms`, those of numerics."""
        if wanted.system_ids is not None and not wanted.system_ids:
            return set()
        return {
            key
            for key, lane in self._lanes.items()
            if key.tenant_id == wanted.tenant_id
            and (waveforms or key.lane is not Lane.WAVEFORM)
            and (wanted.system_ids is None or not lane.system_ids.isdisjoint(wanted.system_ids))
        }

    def add(self, batches: Sequence[StagedEnvelope]) -> None:
        """Add batches that are durable. Those of each lane follow each other, and the ones that were added before."""
        for one in batches:
            lane = self._lanes.get(one.lane_key)
            if lane is None:
                lane = self._lanes[one.lane_key] = _StagedLane(StagedEnd(one.sequence, one.sequence, one.hash))
                self._keys.setdefault(one.gateway_name, set()).add(one.lane_key)
            else:
                lane.end = StagedEnd(lane.end.first, one.sequence, one.hash)
            lane.system_ids.update(one.system_ids)
            lane.batches += 1
            self._objects[one.object_name] += 1
            self._room.add(one.gateway_name, one.envelope_bytes, one.numerics)
            self.waveforms += one.is_waveform
        self._put(batches)
        self._note_room()
        if self._room.is_above(Share(BYTES_MAX, NUMERICS_MAX, BATCHES_MAX)):
            self._over.set()

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
        taken: list[StagedEnvelope] = []
        for key in self._lanes if keys is None else keys:
            lane = self._lanes.get(key)
            if lane is not None and (key.lane is Lane.WAVEFORM) is waveforms:
                taken += lane.untaken
                lane.untaken = []
        self._untaken -= len(taken)
        if not self._untaken:
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
        for one in taken:
            lane = self._lanes[one.lane_key]
            lane.batches -= 1
            if lane.batches:
                lane.end = StagedEnd(max(lane.end.first, one.sequence + 1), lane.end.last, lane.end.hash)
            else:
                self._forget_lane(one.lane_key, one.gateway_name)
            self._objects[one.object_name] -= 1
            self._room.remove(one.gateway_name, one.envelope_bytes, one.numerics)
            self.waveforms -= one.is_waveform
        self._note_room()
        names = sorted({one.object_name for one in taken if not self._objects[one.object_name]})
        self._objects = +self._objects
        return names

    def _note_room(self) -> None:
        if self._room.is_above(Share(BYTES_MAX, NUMERICS_MAX, BATCHES_MAX), SHARES):
            self._has_room.clear()
        else:
            self._has_room.set()

    def _forget_lane(self, key: LaneKey, name: GatewayName) -> None:
        del self._lanes[key]
        keys = self._keys[name]
        keys.discard(key)
        if not keys:
            del self._keys[name]

    def _put(self, batches: Sequence[StagedEnvelope]) -> None:
        if not self._untaken:
            self._first_s = asyncio.get_running_loop().time()
        for one in batches:
            self._lanes[one.lane_key].untaken.append(one)
        self._untaken += len(batches)
        if batches:
            self._any.set()
