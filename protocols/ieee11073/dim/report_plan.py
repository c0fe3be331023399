"""Compile a scan report into a `ReportPlan` for its layout: read every byte once, and separate constants from values.

All forms are compiled (reference 20601 §5). Every byte that determines the meaning of other bytes (lengths, counts,
handles, person-ids, attribute ids, units sent with a value) is a constant of the layout, so a report that matches the
plan needs no further decision.

Deviations are tolerated and noted where they leave no doubt about the value: bytes that the Attribute-Value-Map does
not declare, objects that the configuration lacks, arrays that end inside a sample. A length that contradicts the
enclosing length raises `RemoteProtocolError`.
"""

from protocols.device_time import DeviceTime, TimeKind
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu import MessageTag
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import ValueMap
from protocols.ieee11073.dim.device_model import MDS_HANDLE, DeviceModel, Reshaping
from protocols.ieee11073.dim.notes import BYTES_KEPT
from protocols.ieee11073.dim.report_forms import SCAN_REPORTS, ReportForm, ScanForm
from protocols.ieee11073.dim.report_items import Binder, Item, carried_plan
from protocols.ieee11073.dim.report_layout import Field, Layout
from protocols.ieee11073.dim.report_run import ReportPlan
from protocols.ieee11073.dim.value_fields import ItemFields
from protocols.ieee11073.tolerances import Oddity
from protocols.reader import Reader

_TIME_BYTES = 8
_DATES = frozenset({TimeKind.ABSOLUTE, TimeKind.BASE_OFFSET})


class NoObjectKnown(RemoteProtocolError):
    """Every observation of a report is of an object that the configuration lacks: nothing of it can be taken."""


class NoWholeValue(RemoteProtocolError):
    """A report names objects and has a whole value of none: there is nothing in it that could be kept."""


class DoesNotFit(RemoteProtocolError):
    """A report departs from the configuration. It could be read in part, and perhaps wrongly."""


def compile_plan(apdu: bytes, model: DeviceModel, *, exact: bool = False) -> ReportPlan:
    """Return the plan for all reports with the layout of `apdu`, whose event type must be in `SCAN_REPORTS`.

    Raises `NoObjectKnown` or `NoWholeValue` where the report has no usable value, and `RemoteProtocolError` where it is
    malformed. With `exact`, a deviation that only a different configuration would explain raises `DoesNotFit` and is
    not noted.
    """
    return _Compiler(apdu, model, exact=exact).plan()


class _Compiler:
    def __init__(self, apdu: bytes, model: DeviceModel, *, exact: bool) -> None:
        self._apdu = apdu
        self._exact = exact
        self._model = model
        self._layout = Layout()
        self._items: list[Item] = []
        self._person: int | None = None
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
        self._reported(SCAN_REPORTS[event_type], handle, info)
        if info.remaining:
            self._note(Oddity.REPORT_TRAILING, info, trailing=info.remaining)
            self._layout.skip(info)
        info.finish()
        if self._unknown_count and all(item.handle == MDS_HANDLE for item in self._items):
            raise NoObjectKnown("a report has only objects that the configuration lacks", clause="20601 §9.4 rule 3")
        reshaping = Reshaping(self._model)
        binder = Binder(self._model, self._layout, reshaping, misfit=self._misfit, habit=self._habit)
        try:
            bound = [value for item in self._items for value in binder.bound(item)]
        except RemoteProtocolError:
            reshaping.take_back()
            raise
        if self._items and not bound and not any(_is_kept_without_value(item) for item in self._items):
            reshaping.take_back()
            raise NoWholeValue("a report has a whole value of no object", clause="20601 §5 scan report")
        layout, constants, columns = self._layout.finished(self._apdu)
        return ReportPlan(
            layout=layout,
            constants=constants,
            observations=tuple(value.plan(columns) for value in bound),
            carried=tuple(carried_plan(item, columns) for item in self._items if item.fields.carried),
            confirmed=message == MessageTag.CONFIRMED_EVENT_REPORT,
            handle=handle,
            event_type=event_type,
            data_req_id=data_req_id,
            reshapes=reshaping.lasting,
        )

    def _field(self, reader: Reader, size: int, code: str) -> None:
        self._layout.add(Field(reader.at, size, code))
        reader.take(size)

    def _reported(self, form: ScanForm, scanner: int, info: Reader) -> None:
        """Read the SEQUENCE OF that ends every scan report: observations, or persons with their observations."""
        if not form.persons:
            self._observations(form.form, scanner, info)
            return
        count = info.u16()
        persons = info.inside(info.u16())
        for _ in range(count):
            self._person = persons.u16()
            if form.form is ReportForm.GROUPED:
                self._grouped(scanner, persons.inside(persons.u16()))
            else:
                self._observations(form.form, scanner, persons)
        persons.finish()

    def _observations(self, form: ReportForm, scanner: int, info: Reader) -> None:
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
        if not self._known(handle):  # a scanner may map objects that the configuration lacks
            self._unknown(handle, values, "its configuration has no such object")
            return
        if value_map is None:
            self._unknown(handle, values, "it has no Attribute-Value-Map")
            return
        item = ItemFields()
        self._mapped(handle, value_map, values, item)
        if values.remaining == _TIME_BYTES and item.time is None and self._reads_as_date(values):
            self._note(Oddity.REPORT_TIME_UNDECLARED, values, handle=handle)
            item.take(Attribute.TIME_STAMP_ABSOLUTE, values, self._layout.add)
        elif values.remaining:
            self._unfit(Oddity.REPORT_LONGER, values, handle=handle)
            self._layout.skip(values)
        self._keep(handle, item)

    def _mapped(self, handle: int, value_map: ValueMap, values: Reader, item: ItemFields) -> None:
        """Read the values that `value_map` declares for the object `handle` into `item`, up to the last whole value."""
        for attribute, data in value_map:
            if data > values.remaining:
                self._unfit(Oddity.REPORT_SHORTER, values, handle=handle)
                self._layout.skip(values)
                return
            self._attribute(handle, item, attribute, values.inside(data))

    def _variable(self, handle: int, count: int, attributes: Reader) -> None:
        if not self._known(handle):
            self._unknown(handle, attributes, "its configuration has no such object")
            return
        item = ItemFields()
        for _ in range(count):
            attribute = attributes.u16()
            self._attribute(handle, item, attribute, attributes.inside(attributes.u16()))
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
            if self._known(handle):
                self._keep(handle, item)
            else:
                self._unknown_count += 1
                self._unfit(Oddity.REPORT_SCANS_UNKNOWN, values, handle=handle)
        if values.remaining:
            self._unfit(Oddity.GROUP_LONGER, values, handle=scanner)
            self._layout.skip(values)

    def _known(self, handle: int) -> bool:
        return handle == MDS_HANDLE or handle in self._model.objects

    def _attribute(self, handle: int, item: ItemFields, attribute: int, value: Reader) -> None:
        if handle == MDS_HANDLE:
            item.carry(attribute, value, self._layout.add)  # the device has no values, it has a state
        else:
            item.take(attribute, value, self._layout.add)

    def _keep(self, handle: int, item: ItemFields) -> None:
        item.close()
        for oddity in item.oddities:
            self._note(oddity, None, handle=handle)
        if item.time is not None and item.time_kind in _DATES:
            data = self._apdu[item.time.at : item.time.at + item.time.octets]
            if DeviceTime(item.time_kind, data).local_us() is None:
                self._model.notes.add(Oddity.TIME_UNREADABLE, data, handle=handle)
        if item.empty:
            self._note(Oddity.REPORT_WITHOUT_VALUE, None, handle=handle)
        self._items.append(Item(handle, self._person, item))

    def _unknown(self, handle: int, reader: Reader, why: str) -> None:
        """Note and skip the bytes of an object that is not configured or has no map; `why` completes the note."""
        self._unknown_count += 1
        self._unfit(Oddity.HANDLE_UNKNOWN, reader, handle=handle, missing=why)
        self._layout.skip(reader)

    def _misfit(self, oddity: Oddity, /, *, handle: int, **said: object) -> None:
        self._unfit(oddity, None, handle=handle, **said)

    def _habit(self, oddity: Oddity, /, *, handle: int, **said: object) -> None:
        self._note(oddity, None, handle=handle, **said)

    def _unfit(self, oddity: Oddity, reader: Reader | None, **said: object) -> None:
        """Note a deviation that only a different configuration would explain. If the report must fit the configuration
        exactly, raise `DoesNotFit` instead."""
        if self._exact:
            raise DoesNotFit(oddity.sentence.format(**said), clause=oddity.clause)
        self._note(oddity, reader, **said)

    def _note(self, oddity: Oddity, reader: Reader | None, **said: object) -> None:
        """Note a deviation in which no value is lost, with the unread bytes of `reader` or the report's first bytes."""
        data = self._apdu[:BYTES_KEPT] if reader is None else self._apdu[reader.at : reader.at + reader.remaining]
        self._model.notes.add(oddity, data, **said)

    def _reads_as_date(self, values: Reader) -> bool:
        data = self._apdu[values.at : values.at + _TIME_BYTES]
        return DeviceTime(TimeKind.ABSOLUTE, data).local_us() is not None


def _is_kept_without_value(item: Item) -> bool:
    """Return whether a report item (one object at one time) without a value has attributes to keep."""
    return bool(item.fields.carried or item.fields.shaping)


def layout_key(data: bytes) -> bytes:
    """Return the cache key of a layout: bytes that its reports share and that differ in most other layouts. Invoke-id,
    event-time and report number are left out. `data` has at least the first 34 bytes of a PRST APDU."""
    return data[0:6] + data[8:14] + data[18:24] + data[26:34]


LAYOUT_KEY_BYTES = 34

__all__ = [
    "LAYOUT_KEY_BYTES",
    "SCAN_REPORTS",
    "DoesNotFit",
    "NoObjectKnown",
    "NoWholeValue",
    "compile_plan",
    "layout_key",
]
