"""Put the waveform envelopes of a group into packed objects, before the transaction that indexes them.

Every envelope of the waveform lane is packed, also one that gets rows too (a gap record, a parked or unreadable batch),
so that the objects alone have the whole chain of custody. `indexed_spans` decides whether a batch is indexed; then its
observations get no rows.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Sequence
from contextlib import suppress
from dataclasses import replace

from cloud.clinical.observations import ObservationColumns
from cloud.clinical.waveforms import (
    REPACK_US,
    RUN_SPAN_US,
    BatchToPack,
    ChannelKey,
    SampleBlocks,
    WaveformObject,
    new_name,
    pack,
)
from cloud.foundation.clock import Clock
from cloud.foundation.ids import Ids
from cloud.foundation.objects import ObjectStore, ObjectStoreUnavailable
from cloud.vehicles.ingest.opening import Opened, PackedPlace
from cloud.vehicles.ingest.waveform_spans import BatchSpan, spans_of
from protocols.uplink.lanes import Lane


class WaveformPacker:
    """Packs the waveforms of groups into objects of one object store."""

    def __init__(self, objects: ObjectStore, clock: Clock, ids: Ids) -> None:
        self._objects = objects
        self._clock = clock
        self._ids = ids

    async def pack(self, opened: Sequence[Opened]) -> list[Opened]:
        """Return the batches, those of the waveform lane with the place of their envelope in a durable object. Batches
        that have a place keep it, unless the age of the object comes near that of an orphan. Raises
        `ObjectStoreUnavailable`."""
        now_us = self._clock.now_us()
        due: defaultdict[str, list[Opened]] = defaultdict(list)
        for one in opened:
            if one.batch.lane is Lane.WAVEFORM and (
                one.packed is None or one.packed.object.stored_at_us + REPACK_US <= now_us
            ):
                due[one.gateway.tenant_id].append(one)
        if not due:
            return list(opened)
        places: dict[int, PackedPlace] = {}
        try:
            for tenant_id, batches in sorted(due.items()):
                await self._put(tenant_id, batches, now_us, places)
        except ObjectStoreUnavailable:
            await self._remove({place.object.stored.name for place in places.values()})
            raise
        return [one if (place := places.get(id(one))) is None else replace(one, packed=place) for one in opened]

    async def _put(
        self, tenant_id: str, batches: Sequence[Opened], now_us: int, places: dict[int, PackedPlace]
    ) -> None:
        """Put the objects of one tenant; add the place of each batch by its identity."""
        due = [_to_pack(one) for one in batches]
        owners = {id(to_pack): one for to_pack, one in zip(due, batches, strict=True)}
        # In a thread, since the summaries of a full object take a tenth of a second.
        for packing in await asyncio.to_thread(lambda: list(pack(tenant_id, now_us, due))):
            stored = await self._objects.put(new_name(self._ids, tenant_id, now_us), packing.data)
            made = WaveformObject(tenant_id=tenant_id, stored=stored, stored_at_us=now_us)
            for to_pack, (position, size_bytes) in zip(packing.batches, packing.places, strict=True):
                places[id(owners[id(to_pack)])] = PackedPlace(made, position, size_bytes)

    async def _remove(self, names: Collection[str]) -> None:
        """Remove objects that get no rows, since the next attempt puts others. What stays is removed as an orphan."""
        with suppress(ObjectStoreUnavailable):
            for name in sorted(names):
                await self._objects.remove(name)


def indexed_spans(one: Opened) -> list[BatchSpan] | None:
    """Return the spans of a batch whose observations are read from its object, and get no rows; None for any other
    batch. A batch with measurements from a device's memory has rows, since a repetition is recognised by its row, and
    so has one whose times are further apart than a reader looks back."""
    columns = one.content
    if one.packed is None or one.batch.lane is not Lane.WAVEFORM:
        return None
    if not isinstance(columns, ObservationColumns) or columns.content_keys:
        return None
    spans = spans_of(columns)
    return spans if all(span.until_us - span.from_us <= RUN_SPAN_US for span in spans) else None


def _to_pack(one: Opened) -> BatchToPack:
    columns = one.content
    return BatchToPack(
        gateway=one.batch.gateway,
        epoch=one.batch.epoch,
        sequence=one.batch.sequence,
        envelope=one.delivery.octets,
        blocks=blocks_of(one.batch.gateway, columns) if isinstance(columns, ObservationColumns) else None,
    )


def blocks_of(gateway: str, columns: ObservationColumns) -> SampleBlocks:
    """Return the blocks of samples of a batch."""
    keys = [ChannelKey(gateway, columns.sources[each.source_number], each.channel) for each in columns.channels]
    return SampleBlocks(keys, columns.channel_numbers, columns.observed_at_us, columns.samples)
