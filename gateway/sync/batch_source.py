"""Interface to the part of the buffer that the uplink needs.

The buffer is the queue: the uplink keeps a batch only while it sends it, and reads it again if the cloud did not
acknowledge it. An implementation offers durable, chained batches in lanes.
"""

import asyncio
from collections.abc import Mapping
from typing import Protocol

from gateway.buffer.lanes import LaneMarks
from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState


class BatchSource(Protocol):
    """The uplink's interface to `gateway.buffer.Buffer`."""

    @property
    def epoch(self) -> str:
        """Id of the store in use (its epoch). It changes when a spare store replaces a failed one, and is empty while
        no store is in use."""

    @property
    def store_state(self) -> StoreState: ...

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """Return the sequence numbers and sizes of each lane (a separate sequence of batches), from memory."""

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the batches after sequence `after`, in order, up to the limits. At least one batch is returned if
        there is any, even if it exceeds `limit_bytes`. A gap record stands in the place of dropped batches."""

    async def acknowledge(self, ack: Ack) -> None:
        """Record that the cloud holds all batches through `ack.through_sequence`."""

    async def rewind(self, lane: Lane, through: int) -> None:
        """Record that the cloud has lost all batches above `through`, so that they are sent again."""

    def wait_for_commit(self) -> asyncio.Event:
        """Return the event that is set at each commit of new batches. Only one uplink may use it, since it clears the
        event."""


class RecoveredSource(BatchSource, Protocol):
    """The batches recovered from a store that failed and was set aside. `epoch` is the id of that store."""

    @property
    def all_acknowledged(self) -> bool: ...

    def give_up(self, lane: Lane) -> None:
        """Send no more batches of `lane`."""

    async def settle(self) -> None:
        """Close this source: every batch that can be sent was acknowledged."""
