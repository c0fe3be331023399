"""Compile a scan report into a `ReportPlan` for its layout: read every octet once, tell what is constant from values.

Fixed, variable and grouped form, single person, from the MDS or a scanner (reference 20601 §5). Whatever decides the
meaning of an octet (lengths, counts, handles, attribute ids, units sent with a value) is constant of the layout, so a
plan that matches needs no decision any more. A report may also change what its objects mean (a new unit or scale);
then the model is reshaped here, before the values are bound to channels.

Tolerant where a device's habit leaves no doubt about the value: octets that the Attribute-Value-Map does not declare,
objects that the configuration lacks, arrays that end inside a sample. Each is noted. A length that contradicts its
parent is not a habit; it raises `RemoteProtocolError`. Multi-person forms and PM-store segments are not read here.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.apdu.data import EventType
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import ValueMap
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.report_run import ObservationPlan, ReportPlan
from protocols.ieee11073.dim.value_fields import TIME_STAMPS, VALUES, Field, ItemFields, ValueFields
from protocols.ieee11073.tolerances import Oddity
from protocols.reader import Reader

MDS_HANDLE = 0
_TIME_OCTETS = 8


class ReportForm(Enum):
    """How a report names its values."""

    FIXED = "fixed"
    VARIABLE = "variable"
    GROUPED = "grouped"


SCAN_REPORTS: dict[int, ReportForm] = {
    EventType.SCAN_REPORT_FIXED: ReportForm.FIXED,
    EventType.SCAN_REPORT_VAR: ReportForm.VARIABLE,
    EventType.UNBUF_SCAN_REPORT_VAR: ReportForm.VARIABLE,
    EventType.UNBUF_SCAN_REPORT_FIXED: ReportForm.FIXED,
    EventType.UNBUF_SCAN_REPORT_GROUPED: ReportForm.GROUPED,
    EventType.BUF_SCAN_REPORT_VAR: ReportForm.VARIABLE,
    EventType.BUF_SCAN_REPORT_FIXED: ReportForm.FIXED,
    EventType.BUF_SCAN_REPORT_GROUPED: ReportForm.GROUPED,
}
"""The event types that `compile_plan` reads."""


class NoObjectKnown(RemoteProtocolError):
    """Every observation of a report is of an object that the configuration lacks: nothing of it can be taken."""


class DoesNotFit(RemoteProtocolError):
    """A report departs from the configuration. It could be read in part, and perhaps wrongly."""


def compile_plan(apdu: bytes, model: DeviceModel, *, exact: bool = False) -> ReportPlan:
    """The plan for reports that have this report's layout. The event type must be one of `SCAN_REPORTS`.

    Raises `RemoteProtocolError` where the report breaks its own structure, `NoObjectKnown` where nothing can be taken,
    and, where it has to be `exact`, `DoesNotFit` instead of a note on what only another configuration would explain.
    """
    return _Compiler(apdu, model, exact=exact).plan()


@dataclass(slots=True)
class _Layout:
    """The fields found so far; all octets between them are constant, except those that may be anything (`skipped`)."""

    fields: dict[Field, None] = field(default_factory=dict)
    """A set in order: a hostile report has ten thousand, so nothing may search them."""
    skipped: list[tuple[int, int]] = field(default_factory=list)

    def add(self, found: Field) -> None:
        self.fields[found] = None

    def skip(self, reader: Reader) -> None:
        """The rest of `reader` may be anything in reports of this layout."""
        if reader.remaining:
            self.skipped.append((reader.at, reader.remaining))
            reader.rest()


class _Compiler:
    def __init__(self, apdu: bytes, model: DeviceModel, *, exact: bool) -> None:
        self._apdu = apdu
        self._exact = exact
        self._model = model
        self._layout = _Layout()
        self._items: list[tuple[int, ItemFields]] = []
        self._unknown_count = 0

    def plan(self) -> ReportPlan:
        outer = Reader(self._apdu, clause="20601 §5 scan report")
        outer.take(2)
        prst = outer.inside(outer.u16())
        outer.finish()
        data = prst.inside(prst.u16())
        prst.finish()
        self._field(data, 2, "2s")  # invoke-id
        message = data.u16()
        body = data.inside(data.u16())
        data.finish()
        handle = body.u16()
        self._layout.skip(body.inside(4))  # event-time differs from report to report
        event_type = body.u16()
        info = body.inside(body.u16())
        body.finish()
        data_req_id = info.u16()
        self._field(info, 2, "H")  # scan-report-no
        self._observations(SCAN_REPORTS[event_type], handle, info)
        info.finish()
        if self._unknown_count and not self._items:
            raise NoObjectKnown("a report has only objects that the configuration lacks", clause="20601 §9.4 rule 3")
        for item_handle, item in self._items:
            self._model.reshape(item_handle, item.shaping)
        for item_handle, item in self._items:
            item.values = [kept for value in item.values for kept in self._usable(item_handle, value)]
        layout, constants, columns = self._columns()
        return ReportPlan(
            layout=layout,
            constants=constants,
            observations=tuple(
                plan for item_handle, item in self._items for plan in self._plans(item_handle, item, columns)
            ),
            confirmed=message == MessageTag.CONFIRMED_EVENT_REPORT,
            handle=handle,
            event_type=event_type,
            data_req_id=data_req_id,
        )

    def _field(self, reader: Reader, octets: int, code: str) -> None:
        self._layout.add(Field(reader.at, octets, code))
        reader.take(octets)

    def _observations(self, form: ReportForm, scanner: int, info: Reader) -> None:
        """The SEQUENCE OF that ends every single-person scan report."""
        count = info.u16()
        items = info.inside(info.u16())
        for _ in range(count):
            if form is ReportForm.GROUPED:
                self._grouped(scanner, items.inside(items.u16()))
                continue
            handle = items.u16()
            if form is ReportForm.FIXED:
                self._fixed(handle, scanner, items.inside(items.u16()))
            else:
                listed = items.u16()
                self._variable(handle, listed, items.inside(items.u16()))
        items.finish()

    def _fixed(self, handle: int, scanner: int, values: Reader) -> None:
        value_map = self._model.values_of(handle, scanner)
        if handle not in self._model.objects:  # a scanner may map what the configuration lacks
            self._unknown(handle, values, "its configuration has no such object")
            return
        if value_map is None:
            self._unknown(handle, values, "it has no Attribute-Value-Map")
            return
        item = ItemFields()
        self._mapped(handle, value_map, values, item)
        if values.remaining == _TIME_OCTETS and item.time is None and self._reads_as_date(values):
            self._note(Oddity.REPORT_TIME_UNDECLARED, values, handle=handle)
            item.add(Attribute.TIME_STAMP_ABSOLUTE, values, self._layout.add)
        elif values.remaining:
            self._misfit(Oddity.REPORT_LONGER, values, handle=handle)
            self._layout.skip(values)
        self._keep(handle, item)

    def _mapped(self, handle: int, value_map: ValueMap, values: Reader, item: ItemFields) -> None:
        """The values that a map declares, in its order; a short observation ends between two of them."""
        for attribute, octets in value_map:
            if octets > values.remaining:
                self._misfit(Oddity.REPORT_SHORTER, values, handle=handle)
                self._layout.skip(values)
                return
            self._attribute(item, attribute, values.inside(octets))

    def _variable(self, handle: int, count: int, attributes: Reader) -> None:
        if handle == MDS_HANDLE:
            self._note(Oddity.REPORT_OF_MDS, attributes)
            self._layout.skip(attributes)
            return
        if handle not in self._model.objects:
            self._unknown(handle, attributes, "its configuration has no such object")
            return
        item = ItemFields()
        for _ in range(count):
            attribute = attributes.u16()
            self._attribute(item, attribute, attributes.inside(attributes.u16()))
        attributes.finish()
        self._keep(handle, item)

    def _grouped(self, scanner: int, values: Reader) -> None:
        scanning = self._model.objects.get(scanner)
        if scanning is None or scanning.scans is None:
            self._unknown(scanner, values, "it has no Scan-Handle-Attr-Val-Map")
            return
        for handle, value_map in scanning.scans:
            item = ItemFields()
            self._mapped(handle, value_map, values, item)
            if handle in self._model.objects:
                self._keep(handle, item)
            else:
                self._unknown_count += 1
                self._misfit(Oddity.REPORT_SCANS_UNKNOWN, values, handle=handle)
        if values.remaining:
            self._misfit(Oddity.GROUP_LONGER, values, handle=scanner)
            self._layout.skip(values)

    def _attribute(self, item: ItemFields, attribute: int, value: Reader) -> None:
        if attribute in VALUES or attribute in TIME_STAMPS or attribute == Attribute.MEASUREMENT_STATUS:
            item.add(attribute, value, self._layout.add)
            value.finish()
        elif not item.shape(attribute, value):
            self._layout.skip(value)  # an attribute that says nothing about the value, or one we do not know

    def _keep(self, handle: int, item: ItemFields) -> None:
        if not item.values and not item.shaping:
            self._note(Oddity.REPORT_WITHOUT_VALUE, None, handle=handle)
        self._items.append((handle, item))

    def _unknown(self, handle: int, reader: Reader, why: str) -> None:
        """Without a map or an object octets have no meaning: they are told, and the rest of the report is kept."""
        self._unknown_count += 1
        self._misfit(Oddity.HANDLE_UNKNOWN, reader, handle=handle, missing=why)
        self._layout.skip(reader)

    def _misfit(self, oddity: Oddity, reader: Reader | None, **said: object) -> None:
        """What only another configuration would explain."""
        if self._exact:
            raise DoesNotFit(oddity.sentence.format(**said), clause=oddity.clause)
        self._note(oddity, reader, **said)

    def _note(self, oddity: Oddity, reader: Reader | None, **said: object) -> None:
        """A habit of the device that loses nothing of its values."""
        octets = b"" if reader is None else self._apdu[reader.at : reader.at + reader.remaining]
        self._model.notes.met(oddity, octets, **said)

    def _reads_as_date(self, values: Reader) -> bool:
        octets = self._apdu[values.at : values.at + _TIME_OCTETS]
        return DeviceTime(TimeKind.ABSOLUTE, octets).local_us() is not None

    def _usable(self, handle: int, value: ValueFields) -> list[ValueFields]:
        """The value as its channel can hold it: samples whole and of a waveform, a compound with its components."""
        channel = self._model.channel(handle, value.meaning)
        if value.compound and len(channel.components) != len(value.fields):
            self._misfit(Oddity.COMPOUND_LENGTH, None, handle=handle)
        if not value.samples:
            return [value]
        if channel.array is None:
            self._misfit(Oddity.SAMPLES_OF_NO_WAVEFORM, None, handle=handle)
            return []
        (found,) = value.fields
        cut = found.octets % channel.array.format.octets
        if not cut:
            return [value]
        self._misfit(Oddity.SAMPLES_CUT, None, handle=handle)
        whole = Field(found.at, found.octets - cut, f"{found.octets - cut}s")
        del self._layout.fields[found]
        self._layout.add(whole)
        self._layout.skipped.append((whole.at + whole.octets, cut))
        return [replace(value, fields=(whole,))]

    def _columns(self) -> tuple[str, tuple[tuple[int, bytes], ...], dict[Field, int]]:
        """The struct format, the constant columns, and which column each field's offset has become. A zero-length field
        (an empty text) shares its offset with the constant after it, so it is placed before it."""
        pieces = [*self._layout.fields, *(Field(at, octets, "") for at, octets in self._layout.skipped)]
        layout: list[str] = [">"]
        constants: list[tuple[int, bytes]] = []
        columns: dict[Field, int] = {}
        at = column = 0
        for piece in [*sorted(pieces), Field(len(self._apdu), 0, "")]:
            if piece.at > at:
                constants.append((column, self._apdu[at : piece.at]))
                layout.append(f"{piece.at - at}s")
                column += 1
            if piece.code:
                columns[piece] = column
                column += 1
            layout.append(piece.code or f"{piece.octets}x")
            at = piece.at + piece.octets
        return "".join(layout), tuple(constants), columns

    def _plans(self, handle: int, item: ItemFields, columns: dict[Field, int]) -> list[ObservationPlan]:
        return [
            ObservationPlan(
                channel=self._model.channel(handle, value.meaning),
                columns=tuple(columns[found] for found in value.fields),
                convert=value.converter(self._model.enum_partition(handle)),
                compound=value.compound,
                status=self._column_of(value.status or item.status, columns),
                time=self._column_of(item.time, columns),
                time_kind=item.time_kind,
            )
            for value in item.values
        ]

    @staticmethod
    def _column_of(found: Field | None, columns: dict[Field, int]) -> int | None:
        return None if found is None else columns[found]


def layout_key(octets: bytes) -> bytes:
    """Octets that reports of one layout share and most other layouts do not: where to look for a compiled plan.

    `octets` are at least the first 34 of a PRST APDU; without invoke-id, event-time and report number.
    """
    return octets[0:6] + octets[8:14] + octets[18:24] + octets[26:34]


LAYOUT_KEY_OCTETS = 34

__all__ = [
    "LAYOUT_KEY_OCTETS",
    "SCAN_REPORTS",
    "DoesNotFit",
    "NoObjectKnown",
    "ReportForm",
    "compile_plan",
    "layout_key",
]
