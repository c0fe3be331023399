"""The gateway's memory: what a device reported is durable here before the report is acknowledged.

`create_store` is an explicit act; `Buffer.open` refuses what is not beyond doubt its store. `append` returns when the
rows are on the disk, `next_batches` and `acknowledge` are the uplink's side.
"""

from gateway.buffer.buffer import Buffer
from gateway.buffer.database import create_store
from gateway.buffer.devices import KnownConfiguration, StoredDevice
from gateway.buffer.errors import BufferClosed, BufferError, BufferUnusable, Diagnosis, StoreExists, StoreFull
from gateway.buffer.lanes import LaneMarks
from gateway.buffer.settings import BufferSettings
from gateway.buffer.store_reader import LaneGap

__all__ = [
    "Buffer",
    "BufferClosed",
    "BufferError",
    "BufferSettings",
    "BufferUnusable",
    "Diagnosis",
    "KnownConfiguration",
    "LaneGap",
    "LaneMarks",
    "StoreExists",
    "StoreFull",
    "StoredDevice",
    "create_store",
]
