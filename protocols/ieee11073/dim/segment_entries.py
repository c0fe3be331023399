"""Read the entries of one segment: compiled once for its map, then unpacked by the hundred (reference 20601 §7).

Every entry of a segment has the same length, because the map says the length of each value. So an event is cut into
entries by that length, what is left over is told, and the entries are unpacked together. What a value means is decided
by the same code as for reports (`value_fields`, `channels`).

A stored measurement is the measurement that the device may also have reported live: it has the same channel, so that
the content key (DESIGN D3) knows it again. Its time is the one that says most: the element's own before the header's, a
date before a counter; without any, the segment places it.

An entry that breaks its own form is left out, told and counted: those around it are sound, and whoever would clear the
segment must know that not all of it was read.
"""

import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import repeat
from typing import Any, NamedTuple

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.pm_store import (
    HEADER_ABSOLUTE_TIME,
    HEADER_HIGH_RESOLUTION_TIME,
    HEADER_RELATIVE_TIME,
    SegmentEntryElement,
)
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.channels import channel_of, enum_partition
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.report_layout import Field, Layout
from protocols.ieee11073.dim.segments import Segment
from protocols.ieee11073.dim.value_fields import TIME_STAMPS, ItemFields, ValueFields
from protocols.ieee11073.mder import encode
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Channel, Observation, Value
from protocols.reader import Reader

_CLAUSE = "20601 §7 PmSegmentEntryMap"
_HEADER_TIMES = (
    (HEADER_ABSOLUTE_TIME, TimeKind.ABSOLUTE, 8),
    (HEADER_RELATIVE_TIME, TimeKind.RELATIVE, 4),
    (HEADER_HIGH_RESOLUTION_TIME, TimeKind.HIGH_RESOLUTION, 8),
)
_KNOWN_HEADER = HEADER_ABSOLUTE_TIME | HEADER_RELATIVE_TIME | HEADER_HIGH_RESOLUTION_TIME
_RANKS = {stamp.kind: stamp.rank for stamp in TIME_STAMPS.values()}
_LAYOUTS_MAX = 8
"""Layouts kept of one map; a device that invents more pays with its own speed."""
_PROBE = 4


class EntriesRead(NamedTuple):
    """What the entries of one event hold. `entries` were whole, `unreadable` of them broke their form."""

    observations: list[Observation]
    entries: int
    unreadable: int


@dataclass(frozen=True, slots=True)
class _ObservationPlan:
    """How one observation of an entry comes from its columns; a time column of None is placed by the segment."""

    channel: Channel
    columns: tuple[int, ...]
    convert: Callable[[Any], Value] | None
    compound: bool
    status: int | None
    time: int | None
    time_kind: TimeKind


@dataclass(frozen=True, slots=True)
class _EntryLayout:
    form: struct.Struct
    constants: tuple[tuple[int, bytes], ...]
    observations: tuple[_ObservationPlan, ...]

    def rows(self, entries: memoryview) -> int:
        """How many entries at the front have this layout."""
        columns = list(zip(*self.form.iter_unpack(entries), strict=True))
        matching = len(entries) // self.form.size
        for column, constant in self.constants:
            found = columns[column]
            if found.count(constant) != len(found):
                matching = min(matching, next(at for at, value in enumerate(found) if value != constant))
        return matching


class EntryReader:
    """The entries of one segment. Raises `RemoteProtocolError` where its map cannot be decoded at all."""

    def __init__(self, segment: Segment, model: DeviceModel) -> None:
        self._segment = segment
        self._model = model
        entry_map = segment.map
        if entry_map.segm_entry_header & ~_KNOWN_HEADER & 0xFFFF:
            raise RemoteProtocolError("the header of a segment's entries has an unknown bit", clause=_CLAUSE)
        self._header = [row for row in _HEADER_TIMES if entry_map.segm_entry_header & row[0]]
        self.entry_octets = sum(octets for _, _, octets in self._header) + sum(
            item.attribute_len for element in entry_map.segm_entry_elem_list for item in element.attr_val_map
        )
        if not self.entry_octets or not entry_map.segm_entry_elem_list:
            raise RemoteProtocolError("the entries of a segment hold nothing", clause=_CLAUSE)
        self._layouts: list[_EntryLayout] = []
        self._octets = b""

    def read(self, octets: bytes, first_index: int, received_s: float) -> EntriesRead:
        """The observations of whole entries, entry after entry, in each the order of the map.

        `first_index` is the place of the first of them in the segment, counted from 0.
        """
        count = len(octets) // self.entry_octets
        if count * self.entry_octets != len(octets):
            self._model.notes.met(Oddity.SEGMENT_ENTRY_CUT, octets[count * self.entry_octets :])
        view = memoryview(octets)
        observations: list[Observation] = []
        at = unreadable = 0
        probe = _PROBE
        while at < count:
            layout = self._layout_for(view[at * self.entry_octets :])
            if layout is None:
                at, unreadable, probe = at + 1, unreadable + 1, _PROBE
                continue
            tried = min(count - at, probe)
            rows = layout.rows(view[at * self.entry_octets : (at + tried) * self.entry_octets])
            run = view[at * self.entry_octets : (at + rows) * self.entry_octets]
            observations += self._observe(layout, run, rows, first_index + at, received_s)
            at += rows
            probe = max(_PROBE, rows * _PROBE)
        return EntriesRead(observations, count, unreadable)

    def _layout_for(self, entries: memoryview) -> _EntryLayout | None:
        """The layout of the entry at the front; None where it breaks its form."""
        entry = entries[: self.entry_octets]
        for at, layout in enumerate(self._layouts):
            if layout.rows(entry):
                if at:
                    self._layouts.insert(0, self._layouts.pop(at))
                return layout
        try:
            layout = self._compiled(bytes(entry))
        except RemoteProtocolError as error:
            self._model.notes.met(Oddity.SEGMENT_ENTRY_UNREADABLE, bytes(entry), reason=error.reason)
            return None
        self._layouts = [layout, *self._layouts[: _LAYOUTS_MAX - 1]]
        return layout

    # Compiling.

    def _compiled(self, entry: bytes) -> _EntryLayout:
        reader, layout = Reader(entry, clause=_CLAUSE), Layout()
        header: list[tuple[TimeKind, Field]] = []
        for _, kind, octets in self._header:
            found = Field(reader.at, octets, f"{octets}s")
            layout.add(found)
            reader.take(octets)
            header.append((kind, found))
        items = []
        for element in self._segment.map.segm_entry_elem_list:
            item = ItemFields()
            for entry_value in element.attr_val_map:
                item.take(entry_value.attribute_id, reader.inside(entry_value.attribute_len), layout.add)
            items.append((element, item))
        reader.finish()
        observations: list[tuple[ValueFields, Channel, Field | None, Field | None, TimeKind, int]] = []
        for element, item in items:
            time, kind = _time_field(item, header)
            partition = enum_partition(self._attributes(element, item))
            if not item.values:
                self._model.notes.met(Oddity.SEGMENT_ELEMENT_WITHOUT_VALUE, handle=element.handle)
            for value in item.values:
                channel = self._channel(element, item, value)
                usable = self._usable(element, value, channel, layout)
                if usable is not None:
                    observations.append((usable, channel, value.status or item.status, time, kind, partition))
        form, constants, columns = layout.finished(entry)
        plans = tuple(
            _ObservationPlan(
                channel=channel,
                columns=tuple(columns[found] for found in value.fields),
                convert=value.converter(partition),
                compound=value.compound,
                status=None if status is None else columns[status],
                time=None if time is None else columns[time],
                time_kind=kind,
            )
            for value, channel, status, time, kind, partition in observations
        )
        return _EntryLayout(struct.Struct(form), constants, plans)

    def _attributes(self, element: SegmentEntryElement, item: ItemFields) -> dict[int, bytes]:
        """What shapes the element's values: the object's attributes as they stand, under what the entry itself says."""
        known = self._model.objects.get(element.handle)
        attributes: dict[int, bytes] = {Attribute.TYPE: encode(element.metric_type)}
        return {**(attributes if known is None else known.attributes), **item.shaping}

    def _channel(self, element: SegmentEntryElement, item: ItemFields, value: ValueFields) -> Channel:
        """The channel that the same value has when it is reported live, of the segment's person."""
        known = self._model.objects.get(element.handle)
        if known is not None and not item.shaping:
            channel = self._model.channel(element.handle, value.meaning)
        else:
            object_class = element.class_id if known is None else known.object_class
            attributes = self._attributes(element, item)
            channel = channel_of(element.handle, object_class, attributes, value.meaning, self._model.notes)
        kind = Code(element.metric_type.partition, element.metric_type.code)
        if known is None:
            self._model.notes.met(Oddity.SEGMENT_HANDLE_UNKNOWN, handle=element.handle)
        elif encode(element.metric_type) != known.attributes.get(Attribute.TYPE) and channel.type != kind:
            self._model.notes.met(Oddity.SEGMENT_TYPE_OTHER, handle=element.handle)
            channel = replace(channel, type=kind)
        person = self._segment.person
        return channel if person is None else replace(channel, person=person)

    def _usable(
        self, element: SegmentEntryElement, value: ValueFields, channel: Channel, layout: Layout
    ) -> ValueFields | None:
        """The value as its channel can hold it: samples whole and of a waveform, a compound with its components."""
        if value.compound and len(channel.components) != len(value.fields):
            self._model.notes.met(Oddity.COMPOUND_LENGTH, handle=element.handle)
        if not value.samples:
            return value
        if channel.array is None:
            self._model.notes.met(Oddity.SAMPLES_OF_NO_WAVEFORM, handle=element.handle)
            return None
        (found,) = value.fields
        cut = found.octets % channel.array.format.octets
        if not cut:
            return value
        self._model.notes.met(Oddity.SAMPLES_CUT, handle=element.handle)
        return replace(value, fields=(layout.cut(found, cut),))

    # Reading.

    def _observe(
        self, layout: _EntryLayout, entries: memoryview, count: int, first_index: int, received_s: float
    ) -> list[Observation]:
        columns: Sequence[Sequence[Any]] = list(zip(*layout.form.iter_unpack(entries), strict=True))
        placed: list[DeviceTime | None] | None = None
        made: dict[int, list[DeviceTime]] = {}
        step = len(layout.observations)
        mixed: list[Any] = [None] * (count * step)
        for at, plan in enumerate(layout.observations):
            times: Iterable[DeviceTime | None]
            if plan.time is None:
                if placed is None:
                    placed = [self._segment.time_of(first_index + index) for index in range(count)]
                times = placed
            else:
                if plan.time not in made:
                    made[plan.time] = [DeviceTime(plan.time_kind, octets) for octets in columns[plan.time]]
                times = made[plan.time]
            mixed[at::step] = _observations(plan, columns, times, count, received_s)
        return mixed


def _time_field(item: ItemFields, header: Sequence[tuple[TimeKind, Field]]) -> tuple[Field | None, TimeKind]:
    """The time that says most; the element's own before the header's where both say as much."""
    found = [] if item.time is None else [(item.time_kind, item.time)]
    found += header
    if not found:
        return None, TimeKind.ABSOLUTE
    kind, time = min(found, key=lambda each: _RANKS[each[0]])
    return time, kind


def _observations(
    plan: _ObservationPlan,
    columns: Sequence[Sequence[Any]],
    times: Iterable[DeviceTime | None],
    count: int,
    received_s: float,
) -> list[Observation]:
    values: Iterable[Value | None] = repeat(None, count)
    samples: Iterable[bytes | None] = repeat(None, count)
    if plan.convert is None:
        samples = columns[plan.columns[0]]
    elif plan.compound:
        values = zip(*[map(plan.convert, columns[column]) for column in plan.columns], strict=True)
    else:
        values = map(plan.convert, columns[plan.columns[0]])
    statuses: Iterable[int] = repeat(0, count) if plan.status is None else columns[plan.status]
    # strict=False by design: what is the same for all is endless.
    return list(map(Observation, repeat(plan.channel), values, samples, statuses, times, repeat(received_s)))
