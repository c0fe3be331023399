"""Convert the items of a report to plans of observations: the meaning of each value at its position in the report.

An item is one object at one time, and of one person where the report distinguishes persons. Items are converted in
order, because a unit or scale in one item applies to this item and to later ones only. An array that ends inside a
sample is cut to whole samples, and a compound of unexpected length keeps its components by position.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Protocol

from protocols.ieee11073.dim.channels import SaSpecification, insignificant_bits, sa_specification
from protocols.ieee11073.dim.device_model import MDS_HANDLE, DeviceModel, Reshaping
from protocols.ieee11073.dim.report_layout import Field, Layout
from protocols.ieee11073.dim.report_run import CarriedPlan, ObservationPlan
from protocols.ieee11073.dim.value_fields import Convert, ItemFields, ValueFields
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Channel

Mask = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Item:
    """One object of a report with its decoded fields. `person` is None in a single-person report."""

    handle: int
    person: int | None
    fields: ItemFields


class AddOddity(Protocol):
    """Callback that notes a deviation of the object `handle`."""

    def __call__(self, oddity: Oddity, /, *, handle: int, **said: object) -> None: ...


@dataclass(frozen=True, slots=True)
class BoundValue:
    """A value of a report with its channel, and with its fields (byte ranges) in the layout of the report. Fields get
    column numbers only when the layout is finished."""

    item: Item
    value: ValueFields
    channel: Channel
    convert: Convert | None
    mask: Mask | None

    def plan(self, columns: dict[Field, int]) -> ObservationPlan:
        """Return the plan that converts this value of a decoded report to an observation. The report was split into
        columns by its layout; `columns` maps each field of the layout to its column number."""
        fields = self.item.fields
        statuses = dict.fromkeys(found for found in (self.value.status, fields.status) if found is not None)
        return ObservationPlan(
            channel=self.channel,
            columns=tuple(columns[found] for found in self.value.fields),
            convert=self.convert,
            mask=self.mask,
            compound=self.value.compound,
            statuses=tuple(columns[found] for found in statuses),
            time=None if fields.time is None else columns[fields.time],
            time_kind=fields.time_kind,
        )


def carried_plan(item: Item, columns: dict[Field, int]) -> CarriedPlan:
    """Return the plan that decodes the attributes of `item` that are not values. `columns` has the column number of
    each field in the finished layout."""
    return CarriedPlan(
        handle=item.handle,
        person=item.person,
        attributes=tuple(
            (one.attribute, one.octets if one.found is None else columns[one.found]) for one in item.fields.carried
        ),
        time=None if item.fields.time is None else columns[item.fields.time],
        time_kind=item.fields.time_kind,
    )


class Binder:
    """Converter of the items of one report to values with their channels, in the order of the report. An item is one
    object of the device, observed at one time."""

    def __init__(
        self, model: DeviceModel, layout: Layout, reshaping: Reshaping, *, misfit: AddOddity, habit: AddOddity
    ) -> None:
        """Create a binder. `misfit` is called for a deviation that only a different configuration would explain;
        `misfit` raises an exception where no such deviation is tolerated. `habit` is called for any other deviation."""
        self._model = model
        self._layout = layout
        self._reshaping = reshaping
        self._misfit = misfit
        self._habit = habit

    def bound(self, item: Item) -> Iterator[BoundValue]:
        """Yield the values of `item`, the next object in the report, with their channels; none for the MDS. Where the
        item deviates from the configuration, the callback `misfit` may be called. If it raises, the iteration ends."""
        if item.handle == MDS_HANDLE:
            return
        self._reshaping.take(item.handle, item.fields.shaping)
        for value in item.fields.values:
            channel = self._model.channel(item.handle, value.meaning, item.person)
            if value.samples:
                yield from self._bound_samples(item, value, channel)
                continue
            if value.compound and len(channel.components) != len(value.fields):
                self._misfit(Oddity.COMPOUND_LENGTH, handle=item.handle)
            yield BoundValue(item, value, channel, value.converter(self._model.enum_partition(item.handle)), None)

    def _bound_samples(self, item: Item, value: ValueFields, channel: Channel) -> Iterator[BoundValue]:
        """Yield the whole samples of an array as one value. Yield nothing where the object is not a waveform."""
        if channel.array is None:
            self._misfit(Oddity.SAMPLES_OF_NO_WAVEFORM, handle=item.handle)
            return
        (found,) = value.fields
        cut = found.octets % channel.array.format.width_bytes
        if cut:
            self._misfit(Oddity.SAMPLES_CUT, handle=item.handle)
            found = self._layout.cut(found, cut)
        specification = sa_specification(self._model.objects[item.handle].attributes)
        mask = None
        if specification is not None and specification.sample_size == 8 * channel.array.format.width_bytes:
            count = found.octets * 8 // specification.sample_size
            if count != specification.array_size and not cut:
                due = specification.array_size
                self._habit(Oddity.SAMPLES_COUNT, handle=item.handle, samples_found=count, samples_due=due)
            mask = _mask(specification, count)
        yield BoundValue(item, replace(value, fields=(found,)), channel, None, mask)


def _mask(specification: SaSpecification, count: int) -> Mask | None:
    """Return a function that clears the insignificant top bits of `count` samples, or None where all bits are
    significant."""
    cleared = insignificant_bits(specification)
    if not cleared or not count:
        return None
    bits = specification.sample_size
    one = (1 << bits - cleared) - 1
    data = count * bits // 8
    every = int.from_bytes(one.to_bytes(bits // 8, "big") * count, "big")
    return lambda samples: (int.from_bytes(samples, "big") & every).to_bytes(data, "big")
