"""A compiled scan-report layout, and the decoding of a run (consecutive reports of one layout), column by column.

A device repeats its layout, and one read may hold many reports. Columns are fast: `struct` unpacks the run in C, one
comparison for each column checks every constant byte (lengths, counts, handles, attribute ids), and `map` builds the
observations. But most devices send one report in each read, and a column of one value is slower than the value alone.
So `match_single` and `observe_single` decode one report as a row. A test checks that both ways return the same
observations.

`report_plan` creates the plans. A report that differs in a constant byte has another layout and does not match.
"""

import struct
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter, or_
from typing import Any, NamedTuple

from protocols.device_time import DeviceTime, TimeKind
from protocols.observation import Channel, Observation, Value

INVOKE_ID = 1
"""Column of the invoke-id, two bytes as sent. Column 0 is the constant bytes before it."""
REPORT_NO = 4
"""Column of the scan-report-no, a number. Column 2 holds message, length and handle, 3 event-type and data-req-id."""
_PROBE = 4
"""Ratio of the next attempt to the length of the last run: wrong guesses cost little, right ones grow fast."""

Columns = Sequence[Sequence[Any]]
MadeTimes = list[tuple[int, list[DeviceTime]]]
"""Columns and their decoded time stamps."""


@dataclass(frozen=True, slots=True)
class ObservationPlan:
    """Plan that decodes one observation of a report: the columns of the unpacked report, and the
    conversions to apply."""

    channel: Channel
    columns: tuple[int, ...]
    convert: Callable[[Any], Value] | None
    """Conversion of the unpacked field to the value; None: the column holds samples."""
    mask: Callable[[bytes], bytes] | None
    """Clears the bits of samples that are not part of the value; None: all bits are."""
    compound: bool
    statuses: tuple[int, ...]
    """Columns of the Measurement-Status: none, one, or the value's own and its object's, which both apply."""
    time: int | None
    time_kind: TimeKind


@dataclass(frozen=True, slots=True)
class CarriedPlan:
    """Columns of the attributes, other than values, that one item of a report (one object at one time) contains.
    `attributes` are pairs of id and column, or of id and constant bytes. `time` None: the item has no time stamp."""

    handle: int
    person: int | None
    attributes: tuple[tuple[int, int | bytes], ...]
    time: int | None
    time_kind: TimeKind

    def attribute_bytes(self, columns: "Columns", at: int) -> list[tuple[int, bytes]]:
        """Return the attributes (id, bytes) that one item contains, other than values, in report number `at` of a run.
        Reports are counted from 0."""
        found = []
        for attribute, place in self.attributes:
            data = place if isinstance(place, bytes) else columns[place][at]
            found.append((attribute, data if isinstance(data, bytes) else data.to_bytes(2, "big")))
        return found

    def device_time(self, columns: "Columns", at: int) -> DeviceTime | None:
        """Return the item's time stamp in report number `at` of a run, counted from 0. Return None where the item has
        no time stamp."""
        return None if self.time is None else DeviceTime(self.time_kind, columns[self.time][at])

    def names(self, attributes: Container[int]) -> bool:
        """Return whether the report item has at least one of the attribute ids `attributes`."""
        return any(attribute in attributes for attribute, _ in self.attributes)

    def varies(self, columns: "Columns") -> bool:
        """Return whether an attribute of the item differs between the reports of a run."""
        places = [place for _, place in self.attributes if isinstance(place, int)]
        return any(columns[place].count(columns[place][0]) != len(columns[place]) for place in places)


class Run(NamedTuple):
    """The columns of consecutive reports of one layout, and the number of these reports."""

    columns: Columns
    reports: int

    def first(self, count: int) -> "Run":
        if count == self.reports:
            return self
        return Run([column[:count] for column in self.columns], count)


class ReportPlan:
    """Compiled layout of a scan report. `octets` is the length of a whole report APDU of this layout."""

    __slots__ = (
        "_constant_bytes",
        "_constants",
        "_constants_of",
        "_hint",
        "_rows",
        "_struct",
        "carried",
        "confirmed",
        "event_type",
        "flow",
        "handle",
        "observations",
        "octets",
        "reshapes",
        "weight",
    )

    def __init__(
        self,
        *,
        layout: str,
        constants: tuple[tuple[int, bytes], ...],
        observations: tuple[ObservationPlan, ...],
        carried: tuple[CarriedPlan, ...] = (),
        confirmed: bool,
        handle: int,
        event_type: int,
        data_req_id: int,
        reshapes: bool = False,
    ) -> None:
        """Create a plan. `layout` is the `struct` format of the whole APDU, `constants` are pairs of column and bytes.
        `reshapes`: the report changes the meaning of objects, so the plan is valid for this report only."""
        self._struct = struct.Struct(layout)
        self._constants = constants
        self._constants_of = itemgetter(*(column for column, _ in constants))
        self._constant_bytes = tuple(data for _, data in constants)
        self._hint = 1
        self.octets = self._struct.size
        self.observations = observations
        self._rows = tuple(
            (
                plan.channel,
                plan.columns[0],
                plan.convert,
                plan.mask,
                plan.columns if plan.compound else None,
                plan.statuses,
                plan.time,
                plan.time_kind,
            )
            for plan in observations
        )
        """The plans as plain tuples, since `observe_single` would spend a fifth of its time on their attributes."""
        self.carried = carried
        self.reshapes = reshapes
        self.weight = 1 + len(constants) + len(observations) + sum(len(item.attributes) for item in carried)
        """Size of the plan in a cache: the number of its parts."""
        self.confirmed = confirmed
        self.handle = handle
        self.event_type = event_type
        self.flow = (handle, data_req_id)

    def match(self, data: memoryview) -> Run | None:
        """Return the run (consecutive reports of this layout) at the start of `data`. Return None if the first report
        has another layout or is incomplete. More reports of this layout may be left for the next call."""
        count = min(len(data) // self.octets, self._hint * _PROBE)
        if not count:
            return None
        columns = list(zip(*self._struct.iter_unpack(data[: count * self.octets]), strict=True))
        matching = count
        for column, constant in self._constants:
            found = columns[column]
            if found.count(constant) != count:
                matching = min(matching, next(at for at, value in enumerate(found) if value != constant))
        self._hint = max(matching, 1)
        return Run(columns, count).first(matching) if matching else None

    def match_single(self, apdu: bytes) -> tuple[Any, ...] | None:
        """Return the fields of the report `apdu`, which has `octets` bytes. Return None if the report has another
        layout, or if this layout contains attributes that are not values (`carried`)."""
        if self.carried:
            return None
        row = self._struct.unpack(apdu)
        return row if self._constants_of(row) == self._constant_bytes else None

    def observe_single(self, row: tuple[Any, ...], received_s: float) -> list[Observation]:
        """Return the observations of one report. `row` holds the fields of the report, as
        `match_single` returned them."""
        made = []
        time: DeviceTime | None = None
        for channel, value_column, convert, mask, compound, statuses, time_column, time_kind in self._rows:
            value: Value | None = None
            samples: bytes | None = None
            if convert is None:
                samples = row[value_column] if mask is None else mask(row[value_column])
            elif compound is None:
                value = convert(row[value_column])
            else:
                scalars: list[Any] = [convert(row[column]) for column in compound]
                value = tuple(scalars)
            status = 0
            for column in statuses:
                status |= row[column]
            if time_column is None:
                stamp = None
            else:
                data = row[time_column]
                if time is None or time.octets != data or time.kind is not time_kind:
                    time = DeviceTime(time_kind, data)
                stamp = time
            made.append(Observation(channel, value, samples, status, stamp, received_s))
        return made

    def observe(self, run: Run, received_s: float) -> list[Observation]:
        """Return the observations of a run of reports: report after report, and within a report in the order of its
        values."""
        columns, count = run.columns, run.reports
        times: MadeTimes = []
        made = [observed(plan, columns, count, _times(plan, columns, times), received_s) for plan in self.observations]
        if len(made) == 1:
            return made[0]
        # Interleaving by slices keeps the loop in C.
        step = len(made)
        mixed: list[Any] = [None] * (count * step)
        for at, column in enumerate(made):
            mixed[at::step] = column
        return mixed


def observed(
    plan: ObservationPlan, columns: Columns, count: int, times: Iterable[DeviceTime | None], received_s: float
) -> list[Observation]:
    """Return the `count` observations that `plan` decodes from the columns of reports or PM-store entries. `times` are
    the time stamps of the observations."""
    values: Iterable[Value | None] = repeat(None)
    samples: Iterable[bytes | None] = repeat(None)
    if plan.convert is None:
        samples = columns[plan.columns[0]]
        if plan.mask is not None:
            samples = map(plan.mask, columns[plan.columns[0]])
    elif plan.compound:
        values = zip(*[map(plan.convert, columns[column]) for column in plan.columns], strict=True)
    else:
        values = map(plan.convert, columns[plan.columns[0]])
    statuses: Iterable[int] = columns[plan.statuses[0]] if plan.statuses else repeat(0)
    if len(plan.statuses) > 1:
        statuses = map(or_, statuses, columns[plan.statuses[1]])
    # strict=False by design: the constant columns are endless.
    return list(map(Observation, repeat(plan.channel, count), values, samples, statuses, times, repeat(received_s)))


def _times(plan: ObservationPlan, columns: Columns, made: MadeTimes) -> Iterable[DeviceTime | None]:
    """Return the time stamps in the plan's column. If this column equals the last column in `made` (the columns decoded
    so far), the `DeviceTime` objects of that last column are reused. Earlier columns are not compared: comparing all
    would make the cost of a report quadratic."""
    column, kind = plan.time, plan.time_kind
    if column is None:
        return repeat(None)
    if made:
        other, times = made[-1]
        if times[0].kind is kind and columns[other] == columns[column]:
            return times
    times = [DeviceTime(kind, data) for data in columns[column]]
    made.append((column, times))
    return times
