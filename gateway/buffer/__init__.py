"""Durable storage of the gateway: a device's report is on the disk before the gateway acknowledges the report.

`create_store` creates a store; opening a missing store creates nothing. `Buffer.open` refuses every file that is not
certainly the gateway's store. `append_sections` returns when the observations are on the disk. The uplink reads with
`next_batches` and confirms delivery with `acknowledge`.
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
