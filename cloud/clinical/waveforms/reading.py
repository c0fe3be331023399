"""Read the envelopes of runs from their objects, by byte range."""

import asyncio
from collections.abc import AsyncIterator, Sequence

from cloud.clinical.waveforms.entries import read_entries
from cloud.clinical.waveforms.packed_object import TRAILER_BYTES, PackedIndex, decode_index, index_range
from cloud.clinical.waveforms.runs import StoredRun
from cloud.foundation.errors import DomainError
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectStore, ObjectStoreUnavailable

READS_AT_ONCE = 16
"""Ranges that are requested at once: a request to an S3 service takes some 30 ms, whatever its size. With the largest
runs 16 MB in memory."""


class WaveformEnvelopes:
    """Reads envelopes of runs. `objects` is None when the settings name no object store."""

    def __init__(self, objects: ObjectStore | None) -> None:
        self._objects = objects

    async def read(self, stored: StoredRun) -> list[bytes]:
        """Return the envelopes of a run, by sequence number. Raises `ObjectMissing`, `ObjectDamaged`,
        `ObjectStoreUnavailable`."""
        if self._objects is None:
            raise ObjectStoreUnavailable("(The settings name none, but waveforms were stored in one.)")
        run = stored.run
        data = await self._objects.read_range(stored.object_name, run.position, run.size_bytes)
        count = run.through_sequence - run.sequence + 1
        try:
            envelopes = list(read_entries(data, limit=count))
        except ObjectDamaged as error:
            raise ObjectDamaged(f"({stored.object_name}, from byte {run.position}: {error.detail})") from None
        if len(envelopes) != count:
            raise ObjectDamaged(f"({stored.object_name} has {len(envelopes)} of {count} entries of a run.)")
        return envelopes

    async def read_all(self, runs: Sequence[StoredRun]) -> AsyncIterator[tuple[StoredRun, list[bytes] | DomainError]]:
        """Yield the envelopes of each run, in order, or the error of reading them."""
        for begin in range(0, len(runs), READS_AT_ONCE):
            some = runs[begin : begin + READS_AT_ONCE]
            found = await asyncio.gather(*(self.read(one) for one in some), return_exceptions=True)
            for one, envelopes in zip(some, found, strict=True):
                if isinstance(envelopes, BaseException) and not isinstance(envelopes, DomainError):
                    raise envelopes
                yield one, envelopes

    async def read_indexes(
        self, listed: Sequence[tuple[ListedObject, bool]]
    ) -> AsyncIterator[tuple[ListedObject, PackedIndex]]:
        """Yield the index of each object, in order; with the extremes by second where the second part is True. Raises
        `ObjectMissing`, `ObjectDamaged`, `ObjectStoreUnavailable`."""
        if self._objects is None:
            raise ObjectStoreUnavailable("(The settings name none, but waveforms were stored in one.)")
        for begin in range(0, len(listed), READS_AT_ONCE):
            some = listed[begin : begin + READS_AT_ONCE]
            found = await asyncio.gather(*(read_index(self._objects, one, seconds=each) for one, each in some))
            for (one, _), index in zip(some, found, strict=True):
                yield one, index


async def read_index(objects: ObjectStore, listed: ListedObject, *, seconds: bool = True) -> PackedIndex:
    """Return the index of an object, without reading its envelopes; with `seconds` False, without the extremes by
    second. Raises `ObjectMissing`, `ObjectDamaged`, `ObjectStoreUnavailable`."""
    end = listed.size_bytes - TRAILER_BYTES
    if end < 0:
        raise ObjectDamaged(f"({listed.name} is shorter than a trailer.)")
    trailer = await objects.read_range(listed.name, end, TRAILER_BYTES)
    first, size_bytes = index_range(trailer, listed.size_bytes)
    packed = await objects.read_range(listed.name, first, size_bytes)
    # Decompression takes a millisecond for each quarter of an hour of a vehicle, and releases the interpreter lock.
    return await asyncio.to_thread(decode_index, packed, seconds=seconds)
