"""Durable storage of the gateway: what a device reported is on the disk here before the report is acknowledged.

`create_store` is an explicit act; `Buffer.open` refuses any file that is not beyond doubt its store. `append` returns
when the rows are on the disk; `next_batches` and `acknowledge` serve the uplink.
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
