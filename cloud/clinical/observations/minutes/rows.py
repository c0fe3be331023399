"""Group single values into minute rows, and read minute rows as single values.

A row holds values of one lane, channel and clock whose times are in the same minute and that the cloud stored on the
same day. Both times count: the observed time, and the time on the clock of a gateway's boot if the row has one. So the
times of a row span less than a minute in both orders in which readers walk through rows. Values that arrive in order
give one row for each channel and minute. Late ones, and those that ingest writes at once, add rows, which `merging`
merges some days later.
"""

import struct
from collections import defaultdict
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

from cloud.clinical.observations.minutes.body import BodyEncoder, MinuteValue, RowKey, decode_body
from cloud.clinical.observations.minutes.columns import ColumnsUnreadable
from cloud.clinical.observations.tables import SYNCHRONISED_CLOCK_ID
from cloud.foundation.db import DatabaseDamaged
from cloud.foundation.errors import PrivateError

MINUTE_US = 60_000_000
DAY_US = 86_400_000_000
SPAN_SEQUENCES_MAX = 8_192
"""Sequence numbers from the first to the last value of a row. The audit reads the batches of a lane in order; with this
limit it finds the rows of a batch in a short range of the primary key."""
ARRIVAL_DAYS_MAX = 7_300
"""Age in days up to which the time of a value's arrival is believed: twice the ten years that users keep values. The
time is the cloud's own, except for a value whose batch is not stored any more: then it is the vehicle's, whose clock
may show 1970."""


in_order_of_arrival = attrgetter("lane_id", "sequence", "position")
"""Sorting key of values: the lane, then the batch, then the place in it."""


class CompactionInexact(PrivateError, code="compaction_inexact", status=500):
    """Minute rows would not hold the same values as single rows, so the single rows stay. Report this to the vendor."""


class MinuteRow(NamedTuple):
    """A row of `observation_minutes`; the fields have the names and the order of its columns."""

    day: int
    lane_id: int
    first_sequence: int
    first_position: int
    last_sequence: int
    source_id: int
    channel_id: int
    clock_id: int | None
    observed_from_us: int
    observed_to_us: int
    monotonic_from_us: int | None
    monotonic_to_us: int | None
    stored_from_us: int
    value_count: int
    body: bytes


class LaneDay(NamedTuple):
    """A row of `lane_days`; the fields have the names and the order of its columns."""

    lane_id: int
    source_id: int
    clock_id: int
    day: int
    observed_from_us: int
    observed_to_us: int
    first_sequence: int
    last_sequence: int


def minute_rows(values: Iterable[MinuteValue], encoder: BodyEncoder, today: int) -> list[MinuteRow]:
    """Return the rows that hold these values. The values are in the order of arrival: sequence, then position. A value
    with an arrival that cannot be true belongs to the day `today`."""
    groups: defaultdict[tuple[Any, ...], list[MinuteValue]] = defaultdict(list)
    for one in values:
        on_clock = None if one.monotonic_us is None else one.monotonic_us // MINUTE_US
        day = one.stored_at_us // DAY_US
        if not today - ARRIVAL_DAYS_MAX <= day <= today:
            day = today
        key = (day, one.lane_id, one.source_id, one.channel_id, one.clock_id)
        groups[*key, one.observed_at_us // MINUTE_US, on_clock].append(one)
    return [_row(key[0], group, encoder) for key, group in groups.items()]


def _row(day: int, group: Sequence[MinuteValue], encoder: BodyEncoder) -> MinuteRow:
    first = group[0]
    observed = [one.observed_at_us for one in group]
    on_clock = [one.monotonic_us for one in group if one.monotonic_us is not None]
    return MinuteRow(
        day=day,
        lane_id=first.lane_id,
        first_sequence=first.sequence,
        first_position=first.position,
        last_sequence=group[-1].sequence,
        source_id=first.source_id,
        channel_id=first.channel_id,
        clock_id=first.clock_id,
        observed_from_us=min(observed),
        observed_to_us=max(observed),
        monotonic_from_us=min(on_clock, default=None),
        monotonic_to_us=max(on_clock, default=None),
        stored_from_us=min([one.stored_at_us for one in group]),
        value_count=len(group),
        body=encoder.encode(group),
    )


def values_of(row: Any) -> list[MinuteValue]:
    """Return the values of a row of `observation_minutes`, in the order of arrival. Raises `DatabaseDamaged` for a row
    whose body is not what its other columns state."""
    key = RowKey(row.lane_id, row.source_id, row.channel_id, row.clock_id)
    try:
        values = decode_body(key, bytes(row.body), row.value_count)
    except ColumnsUnreadable:
        values = []
    if not _is_as_stated(row, values):
        raise DatabaseDamaged(f"(observation_minutes: lane {row.lane_id}, sequence {row.first_sequence}.)")
    return values


def _is_as_stated(row: Any, values: Sequence[MinuteValue]) -> bool:
    if not values:
        return False
    observed = [one.observed_at_us for one in values]
    on_clock = [one.monotonic_us for one in values if one.monotonic_us is not None]
    return (
        (row.first_sequence, row.first_position) == (values[0].sequence, values[0].position)
        and row.last_sequence == values[-1].sequence
        and (row.observed_from_us, row.observed_to_us) == (min(observed), max(observed))
        and row.monotonic_from_us == min(on_clock, default=None)
        and row.monotonic_to_us == max(on_clock, default=None)
    )


def lane_days_of(rows: Iterable[MinuteRow]) -> list[LaneDay]:
    """Return the entries of `lane_days` for these rows, in the order of the key."""
    found: dict[tuple[int, int, int, int], LaneDay] = {}
    for row in rows:
        clock_id = SYNCHRONISED_CLOCK_ID if row.clock_id is None else row.clock_id
        key = (row.lane_id, row.source_id, clock_id, row.day)
        own = LaneDay(*key, row.observed_from_us, row.observed_to_us, row.first_sequence, row.last_sequence)
        found[key] = own if key not in found else merged(found[key], own)
    return [found[key] for key in sorted(found)]


def merged(one: LaneDay, other: LaneDay) -> LaneDay:
    return one._replace(
        observed_from_us=min(one.observed_from_us, other.observed_from_us),
        observed_to_us=max(one.observed_to_us, other.observed_to_us),
        first_sequence=min(one.first_sequence, other.first_sequence),
        last_sequence=max(one.last_sequence, other.last_sequence),
    )


def check_equal(values: Sequence[MinuteValue], rows: Iterable[MinuteRow]) -> None:
    """Raise `CompactionInexact` unless the rows hold exactly these values, which are in the order of lane, sequence and
    position."""
    held = sorted([one for row in rows for one in values_of(row)], key=in_order_of_arrival)
    if held != list(values) or _bits(held) != _bits(values):
        raise CompactionInexact


def _bits(values: Sequence[MinuteValue]) -> bytes:
    """Return the bit patterns of the numbers: 0.0 and -0.0 are equal numbers, but different measurements."""
    numbers = [one.number for one in values if one.number is not None]
    return struct.pack(f"<{len(numbers)}d", *numbers)
