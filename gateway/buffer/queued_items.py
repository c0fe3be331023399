"""Items of the writer's queue, and their outcomes for the callers that wait."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.buffer import losses
from gateway.buffer.blocks import Block
from gateway.buffer.open_lanes import Content
from gateway.buffer.store import Store
from protocols.uplink.acks import Ack
from protocols.uplink.lanes import Lane
from protocols.uplink.observations import DeviceObservations

RESERVED_LANES = (Lane.EVENT, Lane.EPCR)
"""The lanes that may use the reserve."""


@dataclass(slots=True, eq=False)
class Append:
    """Queued observations. `held_by_device`: the device still keeps the observations, so none is lost when they are
    refused."""

    sections: Sequence[DeviceObservations]
    observations: int
    held_by_device: bool
    done: "asyncio.Future[None]"
    along: Callable[[Store], None] | None = None
    """A function that writes in the same transaction; None: nothing more is written."""
    taken: "asyncio.Future[None] | None" = None
    """Live observations that may share the commit of the next cut: completes when the writer holds them. None: they are
    committed at once."""
    lanes: set[Lane] = field(default_factory=set)
    """Lanes of which observations are still held in memory."""


@dataclass(slots=True, eq=False)
class AppendBlocks:
    """Queued blocks of one transaction: an event, a change to an ePCR draft, or encoded observations."""

    blocks: Sequence[Block]
    done: "asyncio.Future[None]"


@dataclass(slots=True, eq=False)
class Task:
    """A function to run on the writer's thread between two commits. `done` gets its result or its error. `cut`: the
    batches of all lanes are cut before it."""

    work: Callable[[Store], Any]
    done: "asyncio.Future[Any]"
    cut: bool = False


Item = Append | AppendBlocks | Task | Ack
Outcome = tuple["asyncio.Future[Any]", Any, BaseException | None]


def join(held: Content, content: Content) -> Content:
    """Return the observations of both by lane. The held ones come first, because they arrived first."""
    return {lane: [*held.get(lane, ()), *content.get(lane, ())] for lane in held.keys() | content.keys()}


def outcomes_of(item: Append | AppendBlocks, error: BaseException | None = None) -> list[Outcome]:
    """Return the outcome of `item` for each future of its caller."""
    outcomes: list[Outcome] = [(item.done, None, error)]
    if isinstance(item, Append) and item.taken is not None:
        outcomes.append((item.taken, None, error))
    return outcomes


def size_of(item: Append | AppendBlocks) -> int:
    """Return the number of observations in `item`; an event counts as one."""
    return item.observations if isinstance(item, Append) else sum([block.count for block in item.blocks])


def is_reserved(item: Append | AppendBlocks) -> bool:
    """Return whether all content of `item` is of lanes that may use the reserve."""
    parts = item.blocks if isinstance(item, AppendBlocks) else losses.losses_of(item.sections)
    return all(part.lane in RESERVED_LANES for part in parts)
