"""Limit the life of staged objects whose batches cannot be written, and let erasures wait for them.

The rows of a staged batch are written within minutes. What is left in an object after that is damaged, of a gateway
that is not registered any more, or met an error in the cloud's code. It stays for a repaired cloud, but not without
end, since no retention period and no erasure applies to it. The operator can move it to a file before, so that erasures
end: a damaged object holds up those of all tenants, since its tenants are not known.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from cloud.foundation.errors import PrivateError
from cloud.foundation.ids import time_of_ulid
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectMissing, ObjectStore
from cloud.vehicles.ingest.staged_object import STAGED, STAGED_BYTES_MAX, decode_staged

LEFT_DAYS = 30
"""Days after which a staged object is removed whose batches a process could not write. `doctor` warns after minutes."""
LATE_US = 1_200_000_000
"""Age of a staged object from which on its batches should be written: twice the longest time for which rows wait."""
LATEST_US = (1 << 48) * 1_000
"""A time after all that the names of objects can have."""
_PIECE_BYTES = 8 << 20


class StagedObjectInUse(PrivateError, code="staged_object_in_use", status=409):
    """The rows of this staged object may still be written. Move it 20 minutes after it was staged."""


class CopyUnusable(PrivateError, code="copy_unusable"):
    """The copy could not be written, so the staged object stays. Name a new file."""


def staged_at_us(name: str) -> int:
    """Return the time at which an object was staged, with which its name begins. Another name counts as new."""
    return time_of_ulid(name.rpartition("/")[2]) or LATEST_US


async def staged_before(objects: ObjectStore, before_us: int) -> AsyncIterator[ListedObject]:
    """Yield the objects that were staged before this time."""
    async for page in objects.pages(STAGED):
        for one in page:
            if staged_at_us(one.name) < before_us:
                yield one


async def staged_of(objects: ObjectStore, tenant_id: str, before_us: int, *, since_us: int = 0) -> str | None:
    """Return the name of a staged object that may have batches of a tenant and was staged in this time; None if there
    is none. Raises the errors of an object store that is not available."""
    async for one in staged_before(objects, before_us):
        if staged_at_us(one.name) < since_us:
            continue
        tenants = await tenants_of(objects, one)
        if tenants is None or tenant_id in tenants:
            return one.name
    return None


async def tenants_of(objects: ObjectStore, one: ListedObject) -> frozenset[str] | None:
    """Return the tenants that have batches in a staged object; None if it is damaged: they may be of any tenant."""
    try:
        if one.size_bytes > STAGED_BYTES_MAX:
            return None
        data = await objects.read_range(one.name, 0, one.size_bytes)
        staged = await asyncio.to_thread(decode_staged, one.name, data)
    except ObjectMissing:
        return frozenset()
    except ObjectDamaged:
        return None
    return frozenset(batch.tenant_id for batch in staged.batches)


async def move_staged(objects: ObjectStore, name: str, path: Path, now_us: int) -> int:
    """Move a staged object that is late to a new file, which only its owner may read; return its size in bytes. Raises
    `ObjectMissing`, `StagedObjectInUse`, `CopyUnusable`."""
    async for one in staged_before(objects, LATEST_US):
        if one.name == name:
            break
    else:
        raise ObjectMissing(f"({name})")
    if staged_at_us(name) >= now_us - LATE_US:
        raise StagedObjectInUse(f"({name})")
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            for first in range(0, one.size_bytes, _PIECE_BYTES):
                file.write(await objects.read_range(name, first, min(_PIECE_BYTES, one.size_bytes - first)))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CopyUnusable(f"({path}: {error.strerror})") from None
    await objects.remove(name)
    return one.size_bytes
