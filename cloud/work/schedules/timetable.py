"""The times of a schedule: a cron expression of five fields, read in a time zone.

The rules are those of Debian's cron, which the library follows. A time that does not exist when clocks go forward is
replaced by the first time after the gap, and a time that exists twice when clocks go back counts once, the first time.
An expression with a star in the minute or hour follows the elapsed time instead: every hour is every hour.

This module decides neither whether a job is started at a time nor what it exports (`starting.py`).
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from cloud.foundation.errors import Mistake
from cloud.foundation.suggestions import closest, mention
from cloud.work.schedules.errors import CronMalformed, TimeZoneUnknown

SECOND_US = 1_000_000
CRON_LENGTH_MAX = 100
FIELDS = 5
INTERVAL_MIN = 15
"""Least minutes between two times of a day. An export of less time is small, and each file has a fixed cost."""
DAY_MIN = 24 * 60
SOME_TIME = datetime(2026, 1, 1, tzinfo=UTC)
"""Time from which an expression is examined. Any time serves, since the library searches 50 years."""
PASSED_MAX = 3_000
"""Times that are counted at once after an outage: a month of a schedule with the shortest interval, in about 0.1 s."""


class Passed(NamedTuple):
    """The times that have passed: the latest of them, the number of those before it, and the first time after it."""

    latest_us: int
    missed: int
    next_us: int


@dataclass(frozen=True, slots=True)
class Timetable:
    """A valid cron expression and its time zone."""

    cron: str
    zone: ZoneInfo

    @classmethod
    def read(cls, cron: str, time_zone: str) -> "Timetable":
        """Return the timetable of an expression in a zone of the IANA database, such as `Europe/Warsaw`. Raises
        `CronMalformed`, `TimeZoneUnknown`."""
        if len(cron) > CRON_LENGTH_MAX or len(cron.split()) != FIELDS:
            raise CronMalformed
        found = cls(" ".join(cron.split()), _zone(time_zone))
        try:
            parsed = CronSim(found.cron, SOME_TIME)
            next(parsed)
        except (CronSimError, ValueError, AssertionError) as error:
            raise CronMalformed(f"{error}." if isinstance(error, CronSimError) else "") from None
        except StopIteration:
            raise CronMalformed("It has no time in the next 50 years.") from None
        minutes = sorted(60 * hour + minute for hour in parsed.hours for minute in parsed.minutes)
        following = [*minutes[1:], minutes[0] + DAY_MIN]
        if min(later - earlier for earlier, later in zip(minutes, following, strict=True)) < INTERVAL_MIN:
            raise CronMalformed(f"Two times of a day are less than {INTERVAL_MIN} minutes apart.")
        return found

    def times(self, after_us: int) -> Iterator[int]:
        """Yield the times after a time, without an end, in µs since 1970 UTC."""
        last_us = after_us
        for time in CronSim(self.cron, datetime.fromtimestamp(after_us / SECOND_US, self.zone)):
            at_us = int(time.timestamp()) * SECOND_US
            # In the hour that clocks repeat, the library begins with the first of two times, which may have passed.
            if at_us > last_us:
                last_us = at_us
                yield at_us

    def next_us(self, after_us: int) -> int:
        """Return the first time after a time, in µs since 1970 UTC."""
        return next(self.times(after_us))

    def passed(self, first_us: int, now_us: int) -> Passed:
        """Return the times that have passed from the time `first_us` of this timetable until now, at most
        `PASSED_MAX` of them: after a longer outage, the rest follows with the next call."""
        latest_us, missed = first_us, 0
        for at_us in self.times(first_us):
            if at_us > now_us or missed >= PASSED_MAX:
                return Passed(latest_us, missed, at_us)
            latest_us, missed = at_us, missed + 1
        raise AssertionError("the times of a schedule have no end")


def _zone(name: str) -> ZoneInfo:
    """Return the zone of a name, which must be in the list: any other name could be a path to a file."""
    if name not in _known_zones():
        near = closest(name, _known_zones())
        text = f"The time zone{mention(name, near)} is unknown."
        raise TimeZoneUnknown(text, mistakes=[Mistake(text, did_you_mean=near)])
    return ZoneInfo(name)


@cache
def _known_zones() -> Collection[str]:
    """Return the names of the zones, which are read from some hundred files."""
    return dict.fromkeys(sorted(available_timezones()))
