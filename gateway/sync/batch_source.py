"""Interface to the part of the buffer that the uplink needs.

The buffer is the queue (D4): the uplink keeps no batch longer than sending takes, and reads again what the cloud did
not confirm. An implementation offers durable, chained batches in lanes.
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
    """Interface of `gateway.buffer.Buffer` for the uplink."""

    @property
    def epoch(self) -> str:
        """The epoch. It changes when a spare store replaces one that failed, and is empty while there is none."""

    @property
    def store_state(self) -> StoreState: ...

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """Return the state of each lane, from memory."""

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """Return the batches behind sequence `after`, in order, with gap records in the place of dropped batches; at
        least one if there is any, however large."""

    async def acknowledge(self, ack: Ack) -> None:
        """Record that the cloud holds everything through `ack.through_sequence`."""

    async def rewind(self, lane: Lane, through: int) -> None:
        """Record that the cloud holds nothing above `through` any more, so that it is resent."""

    def wait_for_commit(self) -> asyncio.Event:
        """Return the signal of new batches, for the only uplink."""


class RecoveredSource(BatchSource, Protocol):
    """The source of an epoch that has ended, with the batches recovered from a set-aside store."""

    @property
    def all_acknowledged(self) -> bool: ...

    def give_up(self, lane: Lane) -> None:
        """Send nothing more of `lane`."""

    async def settle(self) -> None:
        """Close this source, because the cloud has everything that can be sent."""
