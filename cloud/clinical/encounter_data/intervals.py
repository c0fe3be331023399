"""Summarise numerics by interval: the least, mean, greatest and last value of each series.

A series is what one device measures under one code and unit; each component of a compound value is a series of its own.
Values that a trend must not contain are counted instead (`left_out`): special values, values beyond physiological
bounds, and those whose status is invalid, not available, calibration, test or demonstration data.

The rows come in the order of time, so one interval is open at a time. Memory holds one summary for each series.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from cloud.clinical.encounter_data.observation_lines import described, unit_code_of
from cloud.clinical.encounter_data.selection import mdc_code_of
from cloud.clinical.observations import DeviceChannel, EncounterRow, value_of
from protocols.ieee11073.nomenclature import name_of
from protocols.observation import Special
from protocols.observation_record import utc_text
from protocols.plausibility import Bounds, bounds_of

INTERVAL_S_MAX = 3_600
"""Longest interval: an hour of a vehicle is some hundred thousand values, which one request can summarise."""
_UNUSABLE = 0x8000 | 0x2000 | 0x1000 | 0x0800 | 0x0400
"""Status bits of values that are left out: invalid, not-available, calibration-ongoing, test-data, demo-data."""
_SECOND_US = 1_000_000


@dataclass(slots=True)
class Summary:
    """The values of one series in one interval. `total` is their sum."""

    count: int = 0
    least: float = 0.0
    greatest: float = 0.0
    total: float = 0.0
    last: float = 0.0
    last_at_us: int = 0
    left_out: int = 0

    def add(self, value: float, at_us: int) -> None:
        if not self.count or value < self.least:
            self.least = value
        if not self.count or value > self.greatest:
            self.greatest = value
        self.count += 1
        self.total += value
        self.last, self.last_at_us = value, at_us


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """The values that one device measures under one code and unit. `fields` are its JSON fields. `name` is its place
    among the series of an interval. Series are compared by identity."""

    name: str
    fields: Mapping[str, Any]
    bounds: Bounds | None

    @classmethod
    def of(cls, channel: DeviceChannel, mdc_code: str) -> "Series":
        fields = {**described(channel), "mdc_code": mdc_code}
        unit, measured = unit_code_of(channel), channel.channel
        sites = [one.context_free for one in measured.supplemental_types]
        key = [channel.device_id, mdc_code, unit, fields["handle"], measured.person, sites]
        return cls(orjson.dumps(key).decode(), fields, None if unit is None else bounds_of(mdc_code, unit))


@dataclass(slots=True)
class Interval:
    """The summaries of one interval, which begins at `from_us`."""

    from_us: int
    summaries: dict[Series, Summary] = field(default_factory=dict)


class Intervals:
    """Summarises the rows of one encounter. `codes` are the codes to be summarised; None: all."""

    def __init__(self, interval_s: int, codes: frozenset[str] | None) -> None:
        self._interval_us = interval_s * _SECOND_US
        self._codes = codes
        self._of_channel: dict[int, tuple[Series | None, ...]] = {}
        self._series: dict[str, Series] = {}
        self._open: Interval | None = None

    def begin_of(self, at_us: int) -> int:
        """Return the beginning of the interval in which a time is."""
        return at_us // self._interval_us * self._interval_us

    def add(self, at_us: int, row: EncounterRow, channel: DeviceChannel) -> Interval | None:
        """Add a row; return the interval before, when it is complete."""
        complete: Interval | None = None
        if self._open is None or at_us >= self._open.from_us + self._interval_us:
            complete, self._open = self._open, Interval(self.begin_of(at_us))
        summaries = self._open.summaries
        series = self._of_channel.get(channel.channel_id) or self._add_channel(channel)
        number, text, unusable = row[8], row[9], row[11] & _UNUSABLE
        values = (number,) if text is None else _scalars(text)
        for one, value in zip(series, values, strict=False):
            if one is None or not isinstance(value, float | Special):
                continue
            summary = summaries.get(one)
            if summary is None:
                summary = summaries[one] = Summary()
            bounds = one.bounds
            if unusable or isinstance(value, Special) or (bounds and not bounds.low <= value <= bounds.high):
                summary.left_out += 1
            else:
                summary.add(value, at_us)
        return complete

    def end(self) -> Interval | None:
        """Return the last interval, after the last row."""
        last, self._open = self._open, None
        return last

    def _add_channel(self, channel: DeviceChannel) -> tuple[Series | None, ...]:
        measured = channel.channel
        code = mdc_code_of(channel)
        names = [name_of(one) for one in measured.components] or [code]
        wanted = None if self._codes is None or code in self._codes else self._codes
        series = tuple(self._known(channel, name) if wanted is None or name in wanted else None for name in names)
        self._of_channel[channel.channel_id] = series
        return series

    def _known(self, channel: DeviceChannel, mdc_code: str) -> Series:
        """Return the series of a code; channels that measure the same, for instance in two vehicles, share one."""
        new = Series.of(channel, mdc_code)
        return self._series.setdefault(new.name, new)

    @property
    def is_empty(self) -> bool:
        """True if no interval is open."""
        return self._open is None

    def documents(self, interval: Interval) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the JSON object of each series of an interval, in the order of the names."""
        for series in sorted(interval.summaries, key=lambda one: one.name):
            found = interval.summaries[series]
            has_values = found.count > 0
            yield (
                series.name,
                {
                    **series.fields,
                    "from": utc_text(interval.from_us),
                    "until": utc_text(interval.from_us + self._interval_us),
                    "count": found.count,
                    "min": found.least if has_values else None,
                    "mean": found.total / found.count if has_values else None,
                    "max": found.greatest if has_values else None,
                    "last": found.last if has_values else None,
                    "last_observed_at": utc_text(found.last_at_us) if has_values else None,
                    "left_out": found.left_out,
                },
            )


def _scalars(text: str) -> tuple[Any, ...]:
    value = value_of(None, text)
    return value if isinstance(value, tuple) else (value,)
