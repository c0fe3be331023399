"""Turn the observations of one batch into columns for the database, before a transaction is opened.

Columns are faster than one object for each observation, and a busy cloud converts some hundred thousand observations a
second. `zip` adds the numbers that only the transaction knows (lane, sources, channels) at C speed.
`protocols.observation_record` defines the meaning of the columns, and a test checks that they agree with it.

Raises `Unstorable` for a value that no column can hold (a time beyond 64 bits). The cloud then stores only the bytes of
the batch.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from operator import add
from types import NoneType
from typing import Any, NamedTuple, TypeVar, cast

from cloud.clinical.observations.tables import SYNCHRONISED_CLOCK_ID, UNDATED, observations
from cloud.clinical.observations.values import value_columns
from protocols.content_keys import content_keys
from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import LocalProtocolError
from protocols.observation import Channel, Value
from protocols.uplink.observations import BlockColumns, DeviceRef

Fact = TypeVar("Fact")

COLUMNS = tuple(one.name for one in observations.columns if one.name not in ("encounter_id", "day"))
"""The columns that ingest writes, in the order of the table, without the day of a partition."""

_BIGINT = range(-(1 << 63), 1 << 63)
_CLOCKS = {TimeKind.ABSOLUTE: b"a", TimeKind.BASE_OFFSET: b"b", TimeKind.RELATIVE: b"r", TimeKind.HIGH_RESOLUTION: b"h"}
_KINDS = {octet[0]: kind for kind, octet in _CLOCKS.items()}


class Unstorable(Exception):
    """The batch is authentic and decodes, but holds what the database's columns cannot; the text names the field."""


class ChannelOfSource(NamedTuple):
    """A channel (what is measured) of the device whose index in the batch's sources is `source_number`."""

    source_number: int
    channel: Channel


@dataclass(frozen=True, slots=True)
class ClockOfBoot:
    """The monotonic clock of a machine boot in which the gateway did not know the time. `device_known`: the gateway
    knew how the device's clock relates to this monotonic clock."""

    boot_id: str
    device_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservationColumns:
    """The observations of one batch as columns, in the order of the batch. `source_numbers` and `channel_numbers` are
    indices into `sources` and `channels`; `clock_numbers` are indices into `clocks` that begin at 1, and 0 means a
    synchronised wall clock. `content_keys` maps the position of a measurement that a device had in its memory to the
    key by which a repetition of the measurement is recognised."""

    sources: Sequence[DeviceRef]
    channels: Sequence[ChannelOfSource]
    source_numbers: Sequence[int]
    channel_numbers: Sequence[int]
    observed_at_us: Sequence[int]
    uncertainty_us: Sequence[int]
    received_at_us: Sequence[int]
    numbers: Sequence[float | None]
    texts: Sequence[str | None]
    samples: Sequence[bytes | None]
    status: Sequence[int]
    device_times: Sequence[bytes | None]
    stored: Sequence[bool]
    clocks: Sequence[ClockOfBoot]
    clock_numbers: Sequence[int]
    monotonic_us: Sequence[int | None]
    content_keys: dict[int, bytes]

    @property
    def latest_us(self) -> int:
        """Return the latest reception time (gateway's wall clock), which is used as last-seen time of the batch's
        devices."""
        return max(self.received_at_us, default=0)

    def placed(
        self,
        lane_id: int,
        sequence: int,
        source_ids: Sequence[int],
        channel_ids: Sequence[int],
        clock_ids: Sequence[int] = (),
        *,
        day: int = UNDATED,
        columns: Sequence[str] = COLUMNS,
    ) -> list[tuple[Any, ...]]:
        """Return the rows for the database, with these `columns`. The ids are in the order of the batch's `sources`,
        `channels` and `clocks`. `day` is the day of the partition."""
        clock_ids = (SYNCHRONISED_CLOCK_ID, *clock_ids)
        given: dict[str, Iterable[Any]] = {
            "lane_id": repeat(lane_id),
            "sequence": repeat(sequence),
            "position": range(len(self.numbers)),
            "source_id": _each(source_ids, self.source_numbers),
            "channel_id": _each(channel_ids, self.channel_numbers),
            "observed_at_us": self.observed_at_us,
            "uncertainty_us": self.uncertainty_us,
            "received_at_us": self.received_at_us,
            "number": self.numbers,
            "value": self.texts,
            "samples": self.samples,
            "status": self.status,
            "device_time": self.device_times,
            "stored": self.stored,
            "clock_id": _each(clock_ids, self.clock_numbers),
            "monotonic_us": self.monotonic_us,
            "day": repeat(day),
        }
        return list(zip(*[given[name] for name in columns], strict=False))  # a `repeat` never ends

    @property
    def empty(self) -> frozenset[str]:
        """Return the names of the columns that are NULL in every row."""
        nullable: dict[str, Sequence[Any]] = {
            "number": self.numbers,
            "value": self.texts,
            "samples": self.samples,
            "device_time": self.device_times,
            "monotonic_us": self.monotonic_us,
        }
        return frozenset([name for name, values in nullable.items() if _is_empty(values)])


def _is_empty(values: Sequence[Any]) -> bool:
    # The first value nearly always decides; comparing floats with None is slow.
    return not values or (values[0] is None and values.count(None) == len(values))


def _each(ids: Sequence[int], numbers: Sequence[int]) -> Iterable[int]:
    """Return `ids[number]` for each of `numbers`. If there is only one id, which is usual, return an endless `repeat`
    of it, which is faster."""
    return repeat(ids[0]) if len(ids) == 1 else map(ids.__getitem__, numbers)


def filled_columns(batches: Sequence[ObservationColumns]) -> tuple[str, ...]:
    """Return `COLUMNS` without those that are NULL in every row, since a column that the INSERT does not name costs
    nothing."""
    empty = frozenset(COLUMNS).intersection(*[batch.empty for batch in batches])
    return tuple([name for name in COLUMNS if name not in empty])


def columns_of(block: BlockColumns) -> ObservationColumns:
    """Return the columns of one batch. Raises `Unstorable` for a value that no column can hold."""
    # A second of waveforms has a run for each report, and only a few different facts. So what follows from the facts is
    # computed once for each of them, and the columns are made for the whole block.
    distinct = {id(facts): facts for facts, _ in block.runs}
    sources: dict[DeviceRef, int] = {}
    source_of: list[int] = []
    clocks: dict[ClockOfBoot, int] = {}
    clock_of: list[int] = []
    for facts in distinct.values():
        if "\0" in facts.device.system_id or "\0" in facts.device.model:
            raise Unstorable("the name of a device holds a NUL character")
        source_of.append(sources.setdefault(facts.device, len(sources)))
        clock = None if facts.wall_synchronised else ClockOfBoot(facts.boot_id, facts.device_offset_us is not None)
        clock_of.append(0 if clock is None else clocks.setdefault(clock, len(clocks) + 1))

    def of_each(values: Sequence[Fact]) -> list[Fact]:
        """Return for each observation the value of its facts; `values` are in the order of `distinct`."""
        if values and values.count(values[0]) == len(values):
            return [values[0]] * len(block.received_s)
        by_facts = dict(zip(distinct, values, strict=True))
        return list(chain.from_iterable([repeat(by_facts[id(facts)], count) for facts, count in block.runs]))

    source_numbers, clock_numbers = of_each(source_of), of_each(clock_of)
    pairs = list(zip(source_numbers, block.channel_numbers, strict=True))
    channels = {pair: number for number, pair in enumerate(dict.fromkeys(pairs))}
    offsets_us = of_each([facts.wall_offset_us for facts in distinct.values()])
    received = _received_at_us(offsets_us, block.received_s)
    local_us, device_times = _read_times(block.device_times)
    observed = _observed_at_us(of_each([facts.device_offset_us for facts in distinct.values()]), local_us, received)
    monotonic: list[int | None] = [None] * len(received)
    if clocks:
        monotonic = [
            at_us - offset_us if clock else None
            for clock, at_us, offset_us in zip(clock_numbers, observed, offsets_us, strict=True)
        ]
    stored = of_each([facts.stored for facts in distinct.values()])
    numbers, texts = _value_columns(block.values)
    on_boots = [at_us for at_us in monotonic if at_us is not None] if clocks else []
    _check_times(received_at_us=received, observed_at_us=observed, monotonic_us=on_boots)
    return ObservationColumns(
        sources=tuple(sources),
        channels=tuple(
            [ChannelOfSource(source, _storable(block.channel_table[number])) for source, number in channels]
        ),
        source_numbers=source_numbers,
        channel_numbers=list(map(channels.__getitem__, pairs)),
        observed_at_us=observed,
        uncertainty_us=of_each([facts.uncertainty_us for facts in distinct.values()]),
        received_at_us=received,
        numbers=numbers,
        texts=texts,
        samples=block.samples,
        status=block.status,
        device_times=device_times,
        stored=stored,
        clocks=tuple(clocks),
        clock_numbers=clock_numbers,
        monotonic_us=monotonic,
        content_keys=_content_keys(block) if any(stored) else {},
    )


def _check_times(**columns: Sequence[int]) -> None:
    """Raise `Unstorable` for a time that does not fit 64 bits."""
    for name, times in columns.items():
        if times and (min(times) not in _BIGINT or max(times) not in _BIGINT):
            raise Unstorable(f"{name} does not fit 64 bits")


def time_column(time: DeviceTime) -> bytes:
    """Encode a device time as one column: a byte for the kind of its clock, followed by the time's bytes as the device
    sent them."""
    return _CLOCKS[time.kind] + time.octets


def time_of(column: bytes | None) -> DeviceTime | None:
    """Decode a device time that `time_column` encoded; NULL gives None. Raises `KeyError` for unknown bytes."""
    return None if column is None else DeviceTime(_KINDS[column[0]], bytes(column[1:]))


def _value_columns(values: Sequence[Value | None]) -> tuple[Sequence[float | None], Sequence[str | None]]:
    """Return the columns `number` and `value`. If all values are numbers or None, `values` itself is the column
    `number`."""
    if set(map(type, values)) <= {float, NoneType}:
        return cast(Sequence[float | None], values), [None] * len(values)
    pairs = [value_columns(value) for value in values]
    return [number for number, _ in pairs], [text for _, text in pairs]


def _storable(channel: Channel) -> Channel:
    """Return the channel. Raises `Unstorable` for one that no row can hold."""
    if channel.handle not in _BIGINT or (channel.person or 0) not in _BIGINT:
        raise Unstorable("a handle or person does not fit 64 bits")
    return channel


def _received_at_us(offsets_us: Sequence[int], received_s: Sequence[float]) -> list[int]:
    """Return the wall-clock time of each reception. The values of a report share one time, which is rounded once."""
    whole_us = {each: round(each * 1_000_000) for each in set(received_s)}
    return list(map(add, offsets_us, map(whole_us.__getitem__, received_s)))


def _observed_at_us(
    offsets_us: Sequence[int | None], local_us: Sequence[int | None], received_at_us: Sequence[int]
) -> list[int]:
    """Return for each observation the device's time, or the reception time where the device's time cannot be read or
    the offset of its clock is not known (DESIGN D5)."""
    return [
        received if local is None or offset_us is None else local + offset_us
        for local, offset_us, received in zip(local_us, offsets_us, received_at_us, strict=True)
    ]


def _read_times(times: Sequence[DeviceTime | None]) -> tuple[list[int | None], list[bytes | None]]:
    """Return each device time as microseconds on the device's own clock, and as a column; None where there is none.
    Each time object is recognised by its identity and converted only once, since all values of a report have one
    time."""
    identities = list(map(id, times))
    local_us: dict[int, int | None] = {}
    columns: dict[int, bytes | None] = {}
    for identity, time in dict(zip(identities, times, strict=True)).items():
        local_us[identity] = None if time is None else time.local_us()
        columns[identity] = None if time is None else time_column(time)
    return list(map(local_us.__getitem__, identities)), list(map(columns.__getitem__, identities))


def _content_keys(block: BlockColumns) -> dict[int, bytes]:
    try:
        return content_keys(block)
    except LocalProtocolError:
        raise Unstorable("a stored measurement has no content key") from None
