"""The gateway's memory: what a device said is durable here before the device is told so.

`create_store` is an explicit act; `Buffer.open` refuses what is not beyond doubt its store. `append` returns when the
rows are on the disk, `next_batches` and `acknowledge` are the uplink's side.
"""

from gateway.buffer.buffer import Buffer
from gateway.buffer.database import create_store
from gateway.buffer.devices import KnownConfiguration, KnownDevice
from gateway.buffer.errors import BufferClosed, BufferError, BufferUnusable, Diagnosis, StoreExists, StoreFull
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.outbox import LaneGap
from gateway.buffer.settings import BufferSettings

__all__ = [
    "Buffer",
    "BufferClosed",
    "BufferError",
    "BufferSettings",
    "BufferUnusable",
    "Diagnosis",
    "KnownConfiguration",
    "KnownDevice",
    "LaneGap",
    "LaneMarks",
    "StoreExists",
    "StoreFull",
    "create_store",
]
