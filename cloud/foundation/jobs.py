"""The work of a slice beside requests: loops, chores, readiness checks and metrics."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from cloud.foundation.checks import Check
from cloud.foundation.housekeeping import Chore
from cloud.foundation.observability import Sampler
from cloud.foundation.step import Step


@dataclass(frozen=True, slots=True)
class Loop:
    """A task that runs until the event `stopping` is set, and then finishes its current work."""

    name: str
    run: Callable[[asyncio.Event], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """The background work of one slice (the folder of one capability). Its `chores` (work on rows that are due) and its
    `watches` (such work at shorter intervals) run only in a process with the worker role."""

    loops: Sequence[Loop] = ()
    chores: Sequence[Chore] = ()
    """Chores that remove expired rows, every ten minutes."""
    watches: Sequence[Chore] = ()
    """Chores that must not be late, since users wait for them: every ten seconds."""
    steps: Sequence[Step] = ()
    """Long work after an upgrade, which a process with the worker role does beside requests."""
    checks: Sequence[Check] = ()
    samplers: Sequence[tuple[str, Sampler]] = ()
    """Functions that set metrics at each scrape, by the name under which a failure is counted."""
