"""Describe what a slice runs in a process beside requests: loops, chores, checks of readiness and metrics."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass

from cloud.foundation.checks import Check
from cloud.foundation.housekeeping import Chore
from cloud.foundation.observability import Sampler


@dataclass(frozen=True, slots=True)
class Loop:
    """Work that runs as long as the process. `run` finishes what is in hand and returns once the event is set."""

    name: str
    run: Callable[[asyncio.Event], Coroutine[None, None, None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Jobs:
    """What one slice runs. Chores and watches run where the worker's role is played."""

    loops: Sequence[Loop] = ()
    chores: Sequence[Chore] = ()
    """Remove expired rows, every ten minutes."""
    watches: Sequence[Chore] = ()
    """Do what is due with time and what people wait for, every ten seconds."""
    checks: Sequence[Check] = ()
    samplers: Sequence[tuple[str, Sampler]] = ()
    """Set metrics at each scrape, by the name under which a failure is counted."""
