"""The part of the buffer that the uplink needs.

The buffer is the queue (D4): the uplink keeps no batch longer than it takes to send it, and asks again for what the
cloud did not confirm. An implementation offers durable, chained batches in lanes.
"""

from collections.abc import Mapping
from typing import Protocol

from protocols.uplink.acks import Ack
from protocols.uplink.envelope import Batch
from protocols.uplink.lanes import Lane
from protocols.uplink.status import StoreState


class LaneState(Protocol):
    """The state of a lane: oldest kept and newest committed sequence, the cloud's mark, and the backlog above it."""

    @property
    def first(self) -> int: ...
    @property
    def last(self) -> int: ...
    @property
    def acked(self) -> int: ...
    @property
    def backlog_batches(self) -> int: ...
    @property
    def backlog_observations(self) -> int: ...


class CommitSignal(Protocol):
    """Set by the buffer at each commit, cleared by the one who waits for it: `asyncio.Event` is one."""

    def clear(self) -> None: ...
    async def wait(self) -> object: ...


class BatchSource(Protocol):
    """`gateway.buffer.Buffer`, as the uplink sees it."""

    @property
    def epoch(self) -> str:
        """Changes when a spare store takes the place of one that failed; empty while there is none."""

    @property
    def store_state(self) -> StoreState: ...

    def marks(self) -> Mapping[Lane, LaneState]:
        """The state of each lane, from memory."""

    async def next_batches(self, lane: Lane, *, after: int, limit_batches: int, limit_bytes: int) -> list[Batch]:
        """The batches behind sequence `after`, in order, gap records in the place of what is gone; at least one if
        there is any, however large."""

    async def acknowledge(self, ack: Ack) -> None:
        """Everything through `ack.through_sequence` is with the cloud."""

    async def rewind(self, lane: Lane, through: int) -> None:
        """The cloud has nothing above `through` any more: it is to be sent again."""

    def wait_for_commit(self) -> CommitSignal:
        """The signal of new batches, for the one uplink there is."""


class RecoveredSource(BatchSource, Protocol):
    """The source of an epoch that has ended, with the batches recovered from a set-aside store."""

    @property
    def all_acknowledged(self) -> bool: ...

    def give_up(self, lane: Lane) -> None:
        """Nothing more of `lane` will be sent."""

    async def settle(self) -> None:
        """Everything that can be sent is with the cloud: this source is not needed any more."""


class Archive(Protocol):
    """The place of stores, where they are exchanged and recovered ones are found (`gateway.buffer.Buffer`)."""

    async def begin_epoch(self) -> None:
        """The store in use was put back from an older copy: set it aside and begin a new epoch."""

    async def recovered(self) -> RecoveredSource | None:
        """The oldest one that is not settled yet."""
