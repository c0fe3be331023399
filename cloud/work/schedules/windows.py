"""The time ranges of the jobs of a schedule: their delay, where the first one begins, and how a payload gets one."""

from collections.abc import Mapping
from typing import Any

from cloud.foundation.moments import write_moment
from cloud.work.jobs import job_kinds
from cloud.work.schedules.errors import KindNotScheduled, WindowMalformed
from cloud.work.schedules.model import DELAY_HOURS, DELAY_HOURS_MAX, HOUR_US, NewSchedule, Window
from cloud.work.schedules.timetable import Timetable


def first_window(new: NewSchedule, now_us: int) -> tuple[int | None, int]:
    """Return the begin of the first window and the delay of windows, `(None, 0)` without windows. Raises
    `KindNotScheduled`, `WindowMalformed`."""
    kind = job_kinds().get(new.kind)
    if kind is not None and kind.window is None:
        raise KindNotScheduled
    if new.window is Window.NONE:
        if new.since_us is not None:
            raise WindowMalformed("Without windows, the payload has the time range.")
        if new.delay_hours:
            raise WindowMalformed("Without windows, there is no delay.")
        return None, 0
    given = [] if kind is None or kind.window is None else [name for name in kind.window if name in new.payload]
    if given:
        raise WindowMalformed(f"Each run sets {' and '.join(given)}, so the payload must not have it.")
    delay_hours = DELAY_HOURS if new.delay_hours is None else new.delay_hours
    if not 0 <= delay_hours <= DELAY_HOURS_MAX:
        raise WindowMalformed(f"The delay is a number of hours from 0 to {DELAY_HOURS_MAX}.")
    latest_us = now_us - delay_hours * HOUR_US  # any first time of the schedule ends a window that has begun
    if new.since_us is not None and new.since_us > latest_us:
        raise WindowMalformed(
            f"The first window begins at {write_moment(latest_us)} at the latest, which is now less the delay."
        )
    return latest_us if new.since_us is None else new.since_us, delay_hours * HOUR_US


def first_time(timetable: Timetable, after_us: int, since_us: int | None, delay_us: int) -> int:
    """Return the first time after `after_us` with a window that begins at `since_us` and is not empty. `since_us` is
    later than now if a window ended while the clock was ahead; None: without windows."""
    return timetable.next_us(after_us if since_us is None else max(after_us, since_us + delay_us))


def with_window(kind: str, payload: Mapping[str, Any], since_us: int | None, until_us: int) -> dict[str, Any]:
    """Return a payload with the window from `since_us` to `until_us`, or unchanged if `since_us` is None."""
    found = job_kinds().get(kind)
    if since_us is None or found is None or found.window is None:
        return dict(payload)
    return {**payload, **dict(zip(found.window, (write_moment(since_us), write_moment(until_us)), strict=True))}
