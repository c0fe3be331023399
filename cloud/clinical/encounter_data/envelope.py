"""The envelope of waveforms for a plot: the least and the greatest sample of each channel in each interval.

The values come from extremes by second and by minute, as the index of a packed object has them. A second or minute
counts only if it is as a whole in the time of the encounter: the rest of it may be the waveform of another patient.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from cloud.clinical.waveforms import ChannelSummary, Extremes
from protocols.ieee11073.nomenclature import name_of, term_of
from protocols.observation_record import utc_text

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
_SECONDS_A_MINUTE = 60

Interval = tuple[int, int]
"""Times in µs since 1970: from the first until before the second."""


@dataclass(frozen=True, slots=True)
class Window:
    """The time of an envelope, from `from_us` until before `until_us`, in intervals of `interval_s` seconds. It begins
    at a multiple of the interval since 1970."""

    from_us: int
    until_us: int
    interval_s: int

    @classmethod
    def of(cls, from_us: int, until_us: int, points: int) -> "Window":
        """Return the window of the shortest intervals that are whole seconds, or whole minutes from a minute on, and of
        which at most `points` cover a time."""
        span_s = max(1, -(-(until_us - from_us) // SECOND_US))
        interval_s = -(-span_s // points)
        while True:
            if interval_s > _SECONDS_A_MINUTE:
                interval_s = -(-interval_s // _SECONDS_A_MINUTE) * _SECONDS_A_MINUTE
            begin_us = from_us // (interval_s * SECOND_US) * interval_s * SECOND_US
            window = cls(begin_us, until_us, interval_s)
            if window.count <= points or points == 1:
                return window
            interval_s += 1

    @property
    def interval_us(self) -> int:
        return self.interval_s * SECOND_US

    @property
    def count(self) -> int:
        """The number of intervals."""
        return -(-(self.until_us - self.from_us) // self.interval_us)

    @property
    def needs_seconds(self) -> bool:
        """True if minutes are too long for the intervals."""
        return self.interval_s % _SECONDS_A_MINUTE != 0

    def until(self, at_us: int) -> "Window":
        """Return the whole intervals of this window before a time, at least one."""
        whole = max(1, (at_us - self.from_us) // self.interval_us)
        return Window(self.from_us, min(self.until_us, self.from_us + whole * self.interval_us), self.interval_s)


@dataclass(slots=True)
class _Line:
    least: list[int | None]
    greatest: list[int | None]


@dataclass(slots=True)
class Envelope:
    """The envelope of the channels that were added so far."""

    window: Window
    _lines: dict[bytes, _Line] = field(default_factory=dict)

    def add(self, summary: ChannelSummary, device_id: str, intervals: Sequence[Interval]) -> None:
        """Add the extremes of a channel that are in the window and in these intervals of the encounter. Without the
        extremes by second, those by minute are added."""
        line: _Line | None = None
        for begin_us, least, greatest in _buckets(summary, intervals, by_second=self.window.needs_seconds):
            place = (begin_us - self.window.from_us) // self.window.interval_us
            if not 0 <= place < self.window.count:
                continue
            line = line or self._line_of(summary, device_id)
            known_least, known_greatest = line.least[place], line.greatest[place]
            if known_least is None or least < known_least:
                line.least[place] = least
            if known_greatest is None or greatest > known_greatest:
                line.greatest[place] = greatest

    def _line_of(self, summary: ChannelSummary, device_id: str) -> _Line:
        unit = None if summary.unit is None else term_of(summary.unit).ucum or None
        key = orjson.dumps(
            {
                "device_id": device_id,
                "mdc_code": name_of(summary.type),
                "unit_code": unit,
                "handle": summary.handle,
                "person": summary.person,
                "sample_period_s": summary.array.period_s,
                "slope": summary.array.slope,
                "offset": summary.array.offset,
            }
        )
        line = self._lines.get(key)
        if line is None:
            count = self.window.count
            line = self._lines[key] = _Line([None] * count, [None] * count)
        return line

    def lines(self, *, is_last: bool = False) -> list[str]:
        """Return one JSON object for each channel, in the order of devices and codes. The last page ends with the last
        interval that has samples."""
        if is_last:
            used = max((_length(line.least) for line in self._lines.values()), default=0)
            for line in self._lines.values():
                del line.least[used:], line.greatest[used:]
        times = f'"from":"{utc_text(self.window.from_us)}","interval_s":{self.window.interval_s}'
        return [
            f'{key.decode()[:-1]},{times},"min":{_numbers(line.least)},"max":{_numbers(line.greatest)}}}'
            for key, line in sorted(self._lines.items())
        ]


def _length(column: list[int | None]) -> int:
    """Return the number of intervals up to the last one that has samples."""
    return next((place for place in range(len(column), 0, -1) if column[place - 1] is not None), 0)


def _numbers(column: list[int | None]) -> str:
    return orjson.dumps(column).decode()


def _buckets(
    summary: ChannelSummary, intervals: Sequence[Interval], *, by_second: bool
) -> Sequence[tuple[int, int, int]]:
    """Return beginning, least and greatest sample of each second or minute that is in one of the intervals. A minute
    that is only partly in one is divided into its seconds."""
    found: list[tuple[int, int, int]] = []
    cut: set[int] = set()
    if not by_second:
        for number, least, greatest in _rows(summary.minutes):
            begin_us = number * MINUTE_US
            if _is_in(begin_us, MINUTE_US, intervals):
                found.append((begin_us, least, greatest))
            else:
                cut.add(number)
        if not cut:
            return found
    for number, least, greatest in _rows(summary.seconds):
        begin_us = number * SECOND_US
        if (by_second or number // _SECONDS_A_MINUTE in cut) and _is_in(begin_us, SECOND_US, intervals):
            found.append((begin_us, least, greatest))
    return found


def _rows(extremes: Extremes) -> Sequence[tuple[int, int, int]]:
    return list(zip(extremes.numbers, extremes.least, extremes.greatest, strict=True))


def _is_in(begin_us: int, length_us: int, intervals: Sequence[Interval]) -> bool:
    return any(from_us <= begin_us and begin_us + length_us <= until_us for from_us, until_us in intervals)
