"""The part of the buffer that the uplink needs.

The buffer is the queue (D4): the uplink keeps no batch longer than it takes to send it, and asks again for what the
cloud did not confirm. An implementation offers durable, chained batches in lanes.
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
    """`gateway.buffer.Buffer`, as the uplink sees it."""

    @property
    def epoch(self) -> str:
        """Changes when a spare store takes the place of one that failed; empty while there is none."""

    @property
    def store_state(self) -> StoreState: ...

    def marks(self) -> Mapping[Lane, LaneMarks]:
        """The state of each lane, from memory."""

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """The batches behind sequence `after`, in order, gap records in the place of what is gone; at least one if
        there is any, however large."""

    async def acknowledge(self, ack: Ack) -> None:
        """Everything through `ack.through_sequence` is with the cloud."""

    async def rewind(self, lane: Lane, through: int) -> None:
        """The cloud has nothing above `through` any more: it is to be sent again."""

    def wait_for_commit(self) -> asyncio.Event:
        """The signal of new batches, for the one uplink there is."""


class RecoveredSource(BatchSource, Protocol):
    """The source of an epoch that has ended, with the batches recovered from a set-aside store."""

    @property
    def all_acknowledged(self) -> bool: ...

    def give_up(self, lane: Lane) -> None:
        """Nothing more of `lane` will be sent."""

    async def settle(self) -> None:
        """Everything that can be sent is with the cloud: this source is not needed any more."""
