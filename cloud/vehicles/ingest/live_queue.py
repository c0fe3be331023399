"""Collect numerics and waveforms of all vehicles, so that they share a commit and an object.

A commit writes the last page of each table and index again, and an object takes a file, two flushes and a row. So while
the load is low, the batches of a quarter of a second share both. Under load a group is full sooner, and the next one
does not wait. Events, care records and statuses are not queued here: they never wait.

Numerics do not wait for the object store. If an object is not durable within `OBJECT_WAIT_S`, the numerics are written
without its waveforms, which follow as soon as it is. If the object store is slow, waveforms beyond `BACKLOG_BYTES_MAX`
are let go: their gateways get no acknowledgement and resend them.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress

from cloud.vehicles.ingest.delivery_group import Group, joined
from cloud.vehicles.ingest.limits import IngestSettings
from protocols.uplink.lanes import Lane

BACKLOG_BYTES_MAX = 32 << 20
"""Bytes of opened waveforms that are queued: several full objects, half of what the source holds for all gateways
(`IngestSettings.queue_bytes_max`), so that events and numerics always have room."""

OBJECT_WAIT_S = 0.05
"""Time for which numerics wait for the object of the waveforms of their group. A local folder takes some
milliseconds."""

ROWS_FULL = 2_000
"""Numerics with which a group is full: writing their rows costs many times as much as the commit (estimated)."""

BATCHES_FULL = 128
"""Batches with which a group is full: a quarter of the broker's window, so that the next ones are decoded while it is
written."""

Pack = Callable[[Group], Awaitable[Group]]
"""A function that puts waveforms into objects and returns those of them that are to be written."""


class LiveQueue:
    """A queue of numerics and waveforms, from which they are taken in groups. `pack` None: waveforms get rows, as
    numerics do."""

    def __init__(self, settings: IngestSettings, pack: Pack | None) -> None:
        self._settings = settings
        self._pack = pack
        self._numerics = _Queued()
        self._waveforms = _Queued()
        self._packed: deque[Group] = deque()
        self._packing = False
        self._late = False  # the waveforms that are being packed were not ready when their group was written
        self._next_s = 0.0
        self._work = asyncio.Event()
        self._full = asyncio.Event()
        self._room = asyncio.Event()
        self._pack_now = asyncio.Event()
        self._at_rest = asyncio.Event()
        self._update()

    async def put(self, group: Group) -> Group:
        """Queue a group; wait until there is room for its numerics. Return those of its waveforms for which there is no
        room."""
        waveforms = Group() if self._pack is None else group.take(Lane.WAVEFORM)
        left = Group()
        if self._waveforms.bytes and self._waveforms.bytes + waveforms.envelope_bytes > BACKLOG_BYTES_MAX:
            left = waveforms
        elif waveforms.deliveries:
            self._waveforms.add(waveforms)
            self._update()
        if group.deliveries:
            await self._room.wait()
            self._numerics.add(group)
            self._update()
        return left

    async def take(self) -> Group:
        """Wait for batches, then for more until they fill a group or have waited `live_wait_s`, and return them. After
        a group that was nearly full, the next one waits less."""
        now_s = asyncio.get_running_loop().time
        while True:
            await self._work.wait()
            with suppress(TimeoutError):
                async with asyncio.timeout_at(self._next_s):
                    await self._full.wait()
            self._next_s = now_s() + self._settings.live_wait_s * max(0.0, 1.0 - self._load)
            await self._wait_for_object()
            groups = [*self._numerics.take(self._settings, self._settings.group_octets_max), *self._packed]
            self._packed.clear()
            self._update()
            if groups:
                return joined(groups)

    async def run(self) -> None:
        """Pack waveforms until cancelled."""
        while self._pack is not None:
            await self._pack_now.wait()
            taken = self._waveforms.take(self._settings, self._settings.waveforms_bytes_max)
            packed = await self._pack(joined(taken))
            if packed.deliveries:
                self._packed.append(packed)
            self._packing = False
            self._update()

    async def _wait_for_object(self) -> None:
        """Begin to pack the queued waveforms, and wait for a short time until they can be written."""
        self._packing = self._packing or bool(self._waveforms.groups)
        self._update()
        with suppress(TimeoutError):
            async with asyncio.timeout(OBJECT_WAIT_S):
                await self._at_rest.wait()
        self._late = self._packing

    @property
    def _load(self) -> float:
        """Return the queued part of a full group."""
        batches = self._numerics.batches + self._waveforms.batches
        of_object = self._waveforms.bytes / self._settings.waveforms_bytes_max
        return self._numerics.observations / ROWS_FULL + batches / BATCHES_FULL + of_object

    def _update(self) -> None:
        """Set the events to what is queued."""
        _set(self._work, bool(self._numerics.groups or self._packed or (self._waveforms.groups and not self._packing)))
        _set(self._full, self._load >= 1.0 or (self._late and bool(self._packed)))
        _set(self._room, self._numerics.has_room(self._settings))
        _set(self._pack_now, self._packing)
        _set(self._at_rest, not self._packing)


class _Queued:
    """Groups of one kind in the order of their arrival, and their sums."""

    def __init__(self) -> None:
        self.groups: deque[Group] = deque()
        self.bytes = self.observations = self.batches = 0

    def add(self, group: Group) -> None:
        self.groups.append(group)
        self._count(group, 1)

    def has_room(self, limits: IngestSettings) -> bool:
        """Return whether all groups together are smaller than what one transaction writes."""
        return self.observations < limits.group_observations_max and self.batches < limits.group_batches_max

    def take(self, limits: IngestSettings, bytes_max: int) -> list[Group]:
        """Remove and return the first groups, as many as one transaction may write, but at least one."""
        taken = _Queued()
        while self.groups and taken.bytes < bytes_max and taken.has_room(limits):
            if taken.groups and taken.batches + len(self.groups[0].deliveries) > limits.group_batches_max:
                break
            group = self.groups.popleft()
            self._count(group, -1)
            taken.add(group)
        return list(taken.groups)

    def _count(self, group: Group, sign: int) -> None:
        self.bytes += sign * group.envelope_bytes
        self.observations += sign * group.observations
        self.batches += sign * len(group.deliveries)


def _set(event: asyncio.Event, value: bool) -> None:
    if value:
        event.set()
    else:
        event.clear()
