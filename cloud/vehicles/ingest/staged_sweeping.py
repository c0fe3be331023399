"""Limit the life of staged objects whose batches cannot be written, and let erasures wait for them.

The rows of a staged batch are written within minutes. What is left in an object after that is damaged, of a gateway
that is not registered any more, or met an error in the cloud's code. It stays for a repaired cloud, but not without
end, since no retention period and no erasure applies to it.
"""

from collections.abc import AsyncIterator

from cloud.foundation.ids import time_of_ulid
from cloud.foundation.objects import ListedObject, ObjectDamaged, ObjectMissing, ObjectStore
from cloud.vehicles.ingest.staged_object import STAGED, STAGED_BYTES_MAX, decode_staged

LEFT_DAYS = 30
"""Days after which a staged object is removed whose batches a process could not write. `doctor` warns after minutes."""
LATE_US = 1_200_000_000
"""Age of a staged object from which on its batches should be written: twice the longest time for which rows wait."""
LATEST_US = (1 << 48) * 1_000
"""A time after all that the names of objects can have."""


def staged_at_us(name: str) -> int:
    """Return the time at which an object was staged, with which its name begins. Another name counts as new."""
    return time_of_ulid(name.rpartition("/")[2]) or LATEST_US


async def staged_before(objects: ObjectStore, before_us: int) -> AsyncIterator[ListedObject]:
    """Yield the objects that were staged before this time."""
    async for page in objects.pages(STAGED):
        for one in page:
            if staged_at_us(one.name) < before_us:
                yield one


async def late_staged(objects: ObjectStore, tenant_id: str, now_us: int) -> str | None:
    """Return the name of a staged object that should have been written and may have batches of a tenant; None if there
    is none. Raises the errors of an object store that is not available."""
    async for one in staged_before(objects, now_us - LATE_US):
        try:
            if one.size_bytes > STAGED_BYTES_MAX:
                return one.name
            staged = decode_staged(one.name, await objects.read_range(one.name, 0, one.size_bytes))
        except ObjectMissing:
            continue
        except ObjectDamaged:  # its batches may be of any tenant
            return one.name
        if any(batch.tenant_id == tenant_id for batch in staged.batches):
            return one.name
    return None
