"""Main-thread time of each frame of a page, from the browser's own trace.

A script can time what it draws, but not the styles, the layout, the painting and the canvases that the browser works
off afterwards on the same thread. Chromium's trace has every task of that thread. A frame begins with the task that
runs the page's animation callbacks and lasts until the next one begins; its time is that of all tasks that begin in it,
so a message that is read between two frames counts too.
"""

import itertools
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

CATEGORIES = ("devtools.timeline", "disabled-by-default-devtools.timeline")
_TASK = "RunTask"
_CALLBACK = "FireAnimationFrame"
_MAIN_THREAD = "CrRendererMain"


@dataclass(frozen=True, slots=True)
class FrameTime:
    """Main-thread time of a frame in ms. `elapsed_ms` includes the time for which other programs held the processor,
    `processor_ms` does not."""

    processor_ms: float
    elapsed_ms: float


def read_frames(trace: bytes) -> list[FrameTime]:
    """Return the time of each whole frame of the page that draws the most.

    `trace`: a trace in Chromium's JSON format with the events of `CATEGORIES`.
    """
    events: list[dict[str, Any]] = json.loads(trace)["traceEvents"]
    thread = _drawing_thread(events)
    tasks = sorted(
        (event["ts"], event.get("tdur", 0), event.get("dur", 0))
        for event in events
        if event["name"] == _TASK and event["ph"] == "X" and _thread_of(event) == thread
    )
    begins = [begin for begin, _, _ in tasks]
    drawn = {
        bisect_right(begins, event["ts"]) - 1
        for event in events
        if event["name"] == _CALLBACK and _thread_of(event) == thread
    }
    first = sorted(at for at in drawn if at >= 0)
    return [
        FrameTime(
            sum(processor_us for _, processor_us, _ in tasks[at:until]) / 1000,
            sum(elapsed_us for _, _, elapsed_us in tasks[at:until]) / 1000,
        )
        for at, until in itertools.pairwise(first)
    ]


def _drawing_thread(events: Sequence[dict[str, Any]]) -> tuple[int, int]:
    """Return the main thread that runs the most animation callbacks: a browser has a process for each page."""
    main = {
        _thread_of(event)
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == _MAIN_THREAD
    }
    callbacks = Counter(_thread_of(event) for event in events if event["name"] == _CALLBACK)
    return max(main, key=callbacks.__getitem__)


def _thread_of(event: dict[str, Any]) -> tuple[int, int]:
    return event["pid"], event["tid"]
