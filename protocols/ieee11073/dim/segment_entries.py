"""Decode the entries of one PM-store segment: compile its map once, then unpack many at a time (reference 20601 §7).

The map defines the length of each value, so all entries have the same length: an event is cut into entries, and excess
bytes are noted. A stored measurement has the same channel as a live report of its object, and the same content key each
time it is fetched (DESIGN D3). Of several times of a value the most precise counts: a date is preferred to a counter,
and the element's own time to an equally precise time in the entry's header. The time of a value without a time stamp is
computed from the segment's start and sample period.

A malformed entry is left out and noted, and `whole` is False, so that the segment is not cleared.
"""

import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
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
from protocols.ieee11073.dim.device_model import DeviceModel, DeviceObject, Reshaping
from protocols.ieee11073.dim.report_items import Binder, Item
from protocols.ieee11073.dim.report_layout import Field, Layout
from protocols.ieee11073.dim.report_run import ObservationPlan, observed
from protocols.ieee11073.dim.segments import Segment
from protocols.ieee11073.dim.value_fields import TIME_STAMPS, ItemFields
from protocols.ieee11073.mder import encode
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Observation
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
"""Limit of layouts kept of one map; a device that varies them only slows itself down."""
_PROBE = 4


class EntriesRead(NamedTuple):
    """The observations of the entries in one event. `whole` is False where an entry or a part of an
    entry was left out."""

    observations: list[Observation]
    whole: bool


@dataclass(frozen=True, slots=True)
class _EntryLayout:
    form: struct.Struct
    constants: tuple[tuple[int, bytes], ...]
    observations: tuple[ObservationPlan, ...]
    whole: bool
    """True where every part of such an entry has a place in an observation."""

    def rows(self, entries: memoryview) -> int:
        """Return the number of entries at the start of `entries` that have this layout."""
        columns = list(zip(*self.form.iter_unpack(entries), strict=True))
        matching = len(entries) // self.form.size
        for column, constant in self.constants:
            found = columns[column]
            if found.count(constant) != len(found):
                matching = min(matching, next(at for at, value in enumerate(found) if value != constant))
        return matching


class EntryReader:
    """Reader of the entries of one segment. The constructor raises `RemoteProtocolError` for an unusable map."""

    def __init__(self, segment: Segment, model: DeviceModel) -> None:
        self._segment = segment
        entry_map = segment.map
        if entry_map.segm_entry_header & ~_KNOWN_HEADER & 0xFFFF:
            raise RemoteProtocolError("the header of a segment's entries has an unknown bit", clause=_CLAUSE)
        self._header = [row for row in _HEADER_TIMES if entry_map.segm_entry_header & row[0]]
        self.entry_bytes = sum(data for _, _, data in self._header) + sum(
            item.attribute_len for element in entry_map.segm_entry_elem_list for item in element.attr_val_map
        )
        if not self.entry_bytes or not entry_map.segm_entry_elem_list:
            raise RemoteProtocolError("the entries of a segment hold nothing", clause=_CLAUSE)
        # A separate model: attributes in the segment describe the stored values, not the live ones.
        self._model = DeviceModel(model.configuration, model.notes)
        for element in entry_map.segm_entry_elem_list:
            self._declare(element)
        self._layouts: list[_EntryLayout] = []

    def _declare(self, element: SegmentEntryElement) -> None:
        """Prepare the model for the object that `element` (of the segment's map) describes. An object that is not
        configured is added. A configured object whose type differs gets the type of the element. Each of these changes
        is noted."""
        kind = encode(element.metric_type)
        known = self._model.objects.get(element.handle)
        if known is None:
            self._model.notes.add(Oddity.SEGMENT_HANDLE_UNKNOWN, handle=element.handle)
            attributes: dict[int, bytes] = {Attribute.TYPE: kind}
            self._model.objects[element.handle] = DeviceObject(element.handle, element.class_id, attributes, None, None)
            return
        stored = Code(element.metric_type.partition, element.metric_type.code)
        if known.attributes.get(Attribute.TYPE) != kind and self._model.channel(element.handle).type != stored:
            self._model.notes.add(Oddity.SEGMENT_TYPE_OTHER, handle=element.handle)
            known.attributes.pop(Attribute.METRIC_ID, None)
            known.attributes[Attribute.TYPE] = kind
            self._model.forget_channels()

    def read(self, data: bytes, first_index: int, received_s: float) -> EntriesRead:
        """Return the observations of the whole entries in `data`, which begins with entry `first_index`."""
        size = self.entry_bytes
        count = len(data) // size
        whole = count * size == len(data)
        if not whole:
            self._model.notes.add(Oddity.SEGMENT_ENTRY_CUT, data[count * size :])
        view = memoryview(data)
        observations: list[Observation] = []
        at, probe = 0, _PROBE
        while at < count:
            layout = self._layout_for(view[at * size : (at + 1) * size])
            if layout is None:
                at, whole, probe = at + 1, False, _PROBE
                continue
            rows = layout.rows(view[at * size : min(count, at + probe) * size])
            run = view[at * size : (at + rows) * size]
            observations += self._observe(layout, run, rows, first_index + at, received_s)
            whole = whole and layout.whole
            at, probe = at + rows, max(_PROBE, rows * _PROBE)
        return EntriesRead(observations, whole)

    def _layout_for(self, entry: memoryview) -> _EntryLayout | None:
        """Return the layout of an entry, or None where the entry is malformed."""
        for at, layout in enumerate(self._layouts):
            if layout.rows(entry):
                if at:
                    self._layouts.insert(0, self._layouts.pop(at))
                return layout
        try:
            layout = self._compiled(bytes(entry))
        except RemoteProtocolError as error:
            self._model.notes.add(Oddity.SEGMENT_ENTRY_UNREADABLE, bytes(entry), reason=error.reason)
            return None
        self._layouts = [layout, *self._layouts[: _LAYOUTS_MAX - 1]]
        return layout

    def _compiled(self, entry: bytes) -> _EntryLayout:
        reader, layout = Reader(entry, clause=_CLAUSE), Layout()
        header: list[tuple[TimeKind, Field]] = []
        for _, kind, data in self._header:
            found = Field(reader.at, data, f"{data}s")
            layout.add(found)
            reader.take(data)
            header.append((kind, found))
        items = [
            Item(element.handle, self._segment.person, self._fields(element, reader, layout, header))
            for element in self._segment.map.segm_entry_elem_list
        ]
        reader.finish()
        reshaping = Reshaping(self._model)
        binder = Binder(self._model, layout, reshaping, misfit=self._met, habit=self._met)
        bound = [value for item in items for value in binder.bound(item)]
        reshaping.take_back()
        values = sum(len(item.fields.values) for item in items)
        carried = [item.handle for item in items if item.fields.carried]
        if carried:
            self._met(Oddity.SEGMENT_ATTRIBUTE_LEFT, handle=carried[0])
        form, constants, columns = layout.finished(entry)
        whole = not carried and len(bound) == values
        return _EntryLayout(struct.Struct(form), constants, tuple(one.plan(columns) for one in bound), whole)

    def _fields(
        self,
        element: SegmentEntryElement,
        reader: Reader,
        layout: Layout,
        header: Sequence[tuple[TimeKind, Field]],
    ) -> ItemFields:
        """Return the fields of one element of an entry. The element's own time counts, except where the entry's header
        has a more precise time."""
        fields = ItemFields()
        for value in element.attr_val_map:
            fields.take(value.attribute_id, reader.inside(value.attribute_len), layout.add)
        fields.close()
        for oddity in fields.oddities:
            self._met(oddity, handle=element.handle)
        if fields.empty:
            self._met(Oddity.SEGMENT_ELEMENT_WITHOUT_VALUE, handle=element.handle)
        for kind, found in header:
            if fields.time is None or _RANKS[kind] < _RANKS[fields.time_kind]:
                fields.time, fields.time_kind = found, kind
        return fields

    def _met(self, oddity: Oddity, /, *, handle: int, **said: object) -> None:
        self._model.notes.add(oddity, handle=handle, **said)

    def _observe(
        self, layout: _EntryLayout, entries: memoryview, count: int, first_index: int, received_s: float
    ) -> list[Observation]:
        columns: Sequence[Sequence[Any]] = list(zip(*layout.form.iter_unpack(entries), strict=True))
        made: dict[int | None, list[DeviceTime | None]] = {}
        step = len(layout.observations)
        mixed: list[Any] = [None] * (count * step)
        for at, plan in enumerate(layout.observations):
            if plan.time not in made:
                made[plan.time] = self._times(plan, columns, count, first_index)
            mixed[at::step] = observed(plan, columns, count, made[plan.time], received_s)
        return mixed

    def _times(
        self, plan: ObservationPlan, columns: Sequence[Sequence[Any]], count: int, first_index: int
    ) -> list[DeviceTime | None]:
        """Return the times of `count` entries: as sent, or computed from the segment where the entries contain none."""
        if plan.time is None:
            return [self._segment.time_of(first_index + index) for index in range(count)]
        data: Iterable[bytes] = columns[plan.time]
        return [DeviceTime(plan.time_kind, each) for each in data]
