"""Interface to the part of the buffer that the uplink needs: durable, chained batches in lanes.

The buffer is the queue: the uplink keeps a batch only while it sends it, and reads an unacknowledged batch again.
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
        """Id of the store in use; empty while no store is in use. A spare store has another id."""

    @property
    def store_state(self) -> StoreState: ...

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """Return the newest and the acknowledged sequence number of each lane, and the lane's backlog and size, from
        memory."""

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the batches after sequence `after`, in order. The result is within both limits, but has at least one
        batch if there is any. A gap record stands in the place of dropped batches."""

    async def acknowledge(self, ack: Ack) -> None:
        """Record that the cloud holds all batches through `ack.through_sequence`."""

    async def rewind(self, lane: Lane, through: int) -> None:
        """Record that the cloud has lost all batches above `through`, so that they are sent again."""

    def wait_for_commit(self) -> asyncio.Event:
        """Return the event that each commit sets. Only one uplink may use the event, since the uplink clears it."""


class RecoveredSource(BatchSource, Protocol):
    """The batches recovered from a store that failed and was set aside. `epoch` is the id of that store."""

    @property
    def all_acknowledged(self) -> bool: ...

    def give_up(self, lane: Lane) -> None:
        """Send no more recovered batches of `lane`, because the cloud holds a different history of the lane."""

    async def settle(self) -> None:
        """Close this source of recovered batches, because every batch that can be sent was acknowledged."""
