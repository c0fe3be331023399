"""Entries of a PM-segment in every form become the observations that the device would have reported live."""

from collections.abc import Sequence
from datetime import timedelta

import pytest

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.errors import RemoteProtocolError
from protocols.ieee11073.apdu.attributes import AttrValMapEntry, AvaType, Type
from protocols.ieee11073.apdu.pm_store import SegmentEntryElement, SegmentEntryMap, SegmentInfo
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.device_model import DeviceModel
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.objects import compound, enumeration, numeric, waveform
from protocols.ieee11073.dim.segment_entries import EntryReader
from protocols.ieee11073.dim.segment_writing import entry_map
from protocols.ieee11073.dim.segments import Segment, segment_of
from protocols.ieee11073.mder import encode
from protocols.ieee11073.nomenclature.code import Code
from protocols.ieee11073.tolerances import Oddity
from protocols.observation import Observation, SampleFormat
from tests.builders.ieee11073_devices import (
    BPM,
    DIASTOLIC,
    ECG_I,
    MEAN,
    MILLIVOLT,
    MMHG,
    PERCENT,
    PRESSURE,
    PULSE,
    SPO2,
    SYSTOLIC,
)
from tests.builders.memory_devices import NOON

ALARM = Code(2, 61_000)
DEVICE = Configuration(
    0x4200,
    (
        numeric(1, SPO2, PERCENT),
        numeric(10, PULSE, BPM, time_stamp=Attribute.TIME_STAMP_ABSOLUTE),
        compound(2, PRESSURE, (SYSTOLIC, DIASTOLIC, MEAN), MMHG, time_stamp=Attribute.TIME_STAMP_ABSOLUTE),
        enumeration(3, ALARM, value=Attribute.ENUM_BASIC_BITS),
        enumeration(4, ALARM, value=Attribute.ENUM_SIMPLE_OID, partition=128),
        waveform(
            5,
            ECG_I,
            MILLIVOLT,
            period_s=0.004,
            samples=4,
            physical=(-2, 2),
            raw=(0, 4000),
            sample_format=SampleFormat.U16,
        ),
    ),
)
AT = bytes.fromhex("2026030112000000")
AT_ALSO = bytes.fromhex("2026030112010000")


def segment(layout: SegmentEntryMap, notes: Notes | None = None, /, **attributes: bytes) -> Segment:
    """Return a PM-segment with this entry map and these attributes, which are named in lower case."""
    avas = tuple(AvaType(Attribute[name.upper()], value) for name, value in attributes.items())
    info = SegmentInfo(1, (AvaType(Attribute.SEGMENT_MAP, encode(layout)), *avas))
    return segment_of(info, {}, notes or Notes())


def read(of: Segment, entries: str | bytes, notes: Notes | None = None, *, first: int = 0) -> list[Observation]:
    octets = entries if isinstance(entries, bytes) else bytes.fromhex(entries)
    return EntryReader(of, DeviceModel(DEVICE, notes or Notes())).read(octets, first, 7.5).observations


def element(handle: int, *values: tuple[int, int], kind: Code = SPO2, object_class: int = 6) -> SegmentEntryElement:
    entries = tuple(AttrValMapEntry(*value) for value in values)
    return SegmentEntryElement(object_class, Type(kind.partition, kind.code), handle, entries)


def oddities(notes: Notes) -> list[Oddity | None]:
    return [note.oddity for note in notes.drain()]


def test_segment_entries_have_the_channels_of_live_values_and_the_time_of_their_header() -> None:
    model = DeviceModel(DEVICE, Notes())
    observations = read(
        segment(entry_map(DEVICE, [1, 10])), AT + bytes.fromhex("0061 0048") + AT_ALSO + b"\0\x60\0\x47"
    )
    assert [(each.channel, each.value) for each in observations] == [
        (model.channel(1), 97.0),
        (model.channel(10), 72.0),
        (model.channel(1), 96.0),
        (model.channel(10), 71.0),
    ]
    times = [AT, AT, AT_ALSO, AT_ALSO]
    assert [each.device_time for each in observations] == [DeviceTime(TimeKind.ABSOLUTE, octets) for octets in times]
    assert {each.received_s for each in observations} == {7.5}


RELATIVE, FINE = bytes.fromhex("00001F40"), bytes.fromhex("00000000000F4240")


@pytest.mark.parametrize(
    ("header", "octets", "time"),
    [
        (0x8000, AT, DeviceTime(TimeKind.ABSOLUTE, AT)),
        (0x4000, RELATIVE, DeviceTime(TimeKind.RELATIVE, RELATIVE)),
        (0x2000, FINE, DeviceTime(TimeKind.HIGH_RESOLUTION, FINE)),
        (0xC000, AT + RELATIVE, DeviceTime(TimeKind.ABSOLUTE, AT)),
        (0x6000, RELATIVE + FINE, DeviceTime(TimeKind.HIGH_RESOLUTION, FINE)),
        (0xE000, AT + RELATIVE + FINE, DeviceTime(TimeKind.ABSOLUTE, AT)),
    ],
)
def test_most_specific_time_of_an_entry_header_is_used(header: int, octets: bytes, time: DeviceTime) -> None:
    (found,) = read(segment(entry_map(DEVICE, [1], header)), octets + b"\0\x61")
    assert (found.value, found.device_time) == (97.0, time)


def test_segment_data_with_an_unknown_bit_in_the_entry_header_is_refused() -> None:
    with pytest.raises(RemoteProtocolError, match="unknown bit"):
        read(segment(entry_map(DEVICE, [1], 0x9000)), AT + b"\0\0\0\0\0\x61")


def test_time_stamp_of_an_entry_element_is_preferred_to_the_time_of_the_entry_header() -> None:
    stamped = SegmentEntryMap(0x4000, (element(1, (Attribute.NU_BASIC, 2), (Attribute.TIME_STAMP_ABSOLUTE, 8)),))
    (found,) = read(segment(stamped), RELATIVE + b"\0\x61" + AT)
    assert found.device_time == DeviceTime(TimeKind.ABSOLUTE, AT)
    both = SegmentEntryMap(0x8000, stamped.segm_entry_elem_list)
    (found,) = read(segment(both), AT_ALSO + b"\0\x61" + AT)
    assert found.device_time == DeviceTime(TimeKind.ABSOLUTE, AT)


def test_every_kind_of_value_in_a_segment_entry_is_decoded_as_in_a_report() -> None:
    layout = SegmentEntryMap(
        0x8000,
        (
            element(2, (Attribute.NU_COMPOUND_BASIC, 10), (Attribute.MEASUREMENT_STATUS, 2), kind=PRESSURE),
            element(3, (Attribute.ENUM_BASIC_BITS, 2), kind=ALARM, object_class=5),
            element(4, (Attribute.ENUM_SIMPLE_OID, 2), kind=ALARM, object_class=5),
            element(5, (Attribute.SA_SIMPLE, 10), kind=ECG_I, object_class=9),
        ),
    )
    octets = AT + bytes.fromhex("0003 0006 0078 0050 005D 4000   8001   0102   0008 07D0 07DC 0803 08B6")
    pressure, bits, code, ecg = read(segment(layout), octets)
    assert (pressure.value, pressure.channel.components, pressure.status) == (
        (120.0, 80.0, 93.0),
        (SYSTOLIC, DIASTOLIC, MEAN),
        0x4000,
    )
    assert (bits.value, code.value) == (0x8001, Code(128, 0x0102))
    assert (ecg.samples, ecg.value) == (bytes.fromhex("07D0 07DC 0803 08B6"), None)
    assert ecg.channel.array is not None
    assert ecg.channel.array.period_s == 0.004


def test_device_time_of_periodic_entries_is_derived_from_segment_start_and_sample_period() -> None:
    layout = entry_map(DEVICE, [1], 0)
    periodic = segment(layout, segment_start_absolute=AT, sample_period=(10 * 8000).to_bytes(4, "big"))
    found = read(periodic, "0061 0060 005F", first=5)
    assert [each.device_time for each in found] == [
        absolute_time(NOON + timedelta(seconds=10 * index)) for index in (5, 6, 7)
    ]
    start = bytes.fromhex("ED4C3640 0000 003C")
    (third,) = read(segment(layout, segment_start_base_offset=start, sample_period=RELATIVE), "0061", first=2)
    assert third.device_time == DeviceTime(TimeKind.BASE_OFFSET, bytes.fromhex("ED4C3642 0000 003C"))


@pytest.mark.parametrize(
    "attributes",
    [
        {},
        {"segment_start_absolute": AT},
        {"sample_period": RELATIVE},
        {"segment_start_absolute": bytes.fromhex("2026030A99000000"), "sample_period": RELATIVE},
        {"segment_start_absolute": AT, "sample_period": (40).to_bytes(4, "big")},
        {"segment_start_base_offset": b"\xff" * 6 + b"\0\0", "sample_period": b"\xff" * 4},
    ],
    ids=["nothing", "no period", "no start", "no date", "finer than a date", "past the end of time"],
)
def test_entry_without_any_time_source_has_no_device_time(attributes: dict[str, bytes]) -> None:
    found = read(segment(entry_map(DEVICE, [1], 0), **attributes), "0061", first=3)
    assert [each.device_time for each in found] == [None]


def test_person_id_and_usage_count_and_clock_adjustment_are_read_from_segment_attributes() -> None:
    layout = entry_map(DEVICE, [1])
    found = segment(
        layout,
        segment_person_id=b"\0\2",
        segment_usage_count=bytes.fromhex("00000007"),
        date_and_time_adjustment=(-360_000).to_bytes(6, "big", signed=True),
        transfer_timeout=(8000 * 20).to_bytes(4, "big"),
        segment_end_absolute=AT_ALSO,
    )
    assert (found.person, found.usage_count, found.adjustment_us, found.transfer_timeout_s) == (
        2,
        7,
        -3_600_000_000,
        20.0,
    )
    assert found.end == DeviceTime(TimeKind.ABSOLUTE, AT_ALSO)
    (observation,) = read(found, AT + b"\0\x61")
    assert observation.channel.person == 2


def test_sample_period_of_the_pm_store_applies_to_a_segment_without_a_sample_period() -> None:
    info = SegmentInfo(1, (AvaType(Attribute.SEGMENT_MAP, encode(entry_map(DEVICE, [1], 0))),))
    assert segment_of(info, {Attribute.SAMPLE_PERIOD: RELATIVE}, Notes()).period_us == 1_000_000


def test_segment_identity_is_unchanged_when_entries_are_added() -> None:
    layout = entry_map(DEVICE, [1])
    two = segment(layout, segment_usage_count=bytes.fromhex("00000002"), segment_start_absolute=AT)
    three = segment(layout, segment_usage_count=bytes.fromhex("00000003"), segment_start_absolute=AT)
    other = segment(layout, segment_usage_count=bytes.fromhex("00000002"), segment_start_absolute=AT_ALSO)
    assert two.identity == three.identity != other.identity
    assert len({two.state, three.state, other.state}) == 3


def test_malformed_segment_attributes_are_treated_as_absent_with_a_deviation() -> None:
    notes = Notes()
    found = segment(entry_map(DEVICE, [1]), notes, segment_usage_count=b"\0\1", segment_start_absolute=b"\0")
    assert (found.usage_count, found.start, oddities(notes)) == (None, None, [Oddity.ATTRIBUTE_LENGTH] * 2)


@pytest.mark.parametrize("octets", [None, b"", b"\x80\0\0\1\0\0", encode(entry_map(DEVICE, [1])) + b"\0"])
def test_segment_without_a_decodable_segment_map_is_refused(octets: bytes | None) -> None:
    avas = () if octets is None else (AvaType(Attribute.SEGMENT_MAP, octets),)
    with pytest.raises(RemoteProtocolError):
        segment_of(SegmentInfo(1, avas), {}, Notes())


@pytest.mark.parametrize("layout", [SegmentEntryMap(0x8000, ()), SegmentEntryMap(0, (element(1),))])
def test_empty_segment_map_is_refused(layout: SegmentEntryMap) -> None:
    with pytest.raises(RemoteProtocolError, match="hold nothing"):
        read(segment(layout), b"")


def test_segment_data_that_ends_within_an_entry_is_cut_with_a_deviation() -> None:
    notes = Notes()
    reader = EntryReader(segment(entry_map(DEVICE, [1])), DeviceModel(DEVICE, notes))
    found = reader.read(AT + b"\0\x61" + AT[:5], 0, 0.0)
    assert (len(found.observations), found.whole, oddities(notes)) == (1, False, [Oddity.SEGMENT_ENTRY_CUT])


def test_malformed_segment_entry_is_omitted_and_the_other_entries_are_decoded() -> None:
    notes = Notes()
    layout = SegmentEntryMap(0, (element(2, (Attribute.NU_COMPOUND_BASIC, 10), kind=PRESSURE),))
    good, bad = bytes.fromhex("0003 0006 0078 0050 005D"), bytes.fromhex("0003 0007 0078 0050 005D")
    reader = EntryReader(segment(layout), DeviceModel(DEVICE, notes))
    found = reader.read(good + bad + good, 0, 0.0)
    assert [each.value for each in found.observations] == [(120.0, 80.0, 93.0)] * 2
    assert (found.whole, oddities(notes)) == (False, [Oddity.SEGMENT_ENTRY_UNREADABLE])


def observed(metric: int, unit: int, raw: int) -> bytes:
    return metric.to_bytes(2, "big") + b"\0\0" + unit.to_bytes(2, "big") + raw.to_bytes(4, "big")


def test_unit_may_change_from_one_segment_entry_to_the_next() -> None:
    layout = SegmentEntryMap(0, (element(1, (Attribute.NU_OBSERVED, 10)),))
    units: Sequence[int] = [544, 544, 2720, 544, 2720, 2720]
    octets = b"".join(observed(0, unit, at) for at, unit in enumerate(units))
    found = read(segment(layout), octets)
    assert [(each.value, each.channel.unit) for each in found] == [
        (float(at), Code(4, unit)) for at, unit in enumerate(units)
    ]


def test_unit_code_of_a_segment_entry_does_not_change_the_unit_of_live_values() -> None:
    model = DeviceModel(DEVICE, Notes())
    layout = SegmentEntryMap(0, (element(1, (Attribute.UNIT_CODE, 2), (Attribute.NU_BASIC, 2)),))
    found = EntryReader(segment(layout), model).read(bytes.fromhex("0AA0 0061 0220 0062"), 0, 0.0).observations
    assert [each.channel.unit for each in found] == [BPM, PERCENT]
    assert model.channel(1).unit == PERCENT


def test_type_of_an_unconfigured_handle_is_taken_from_the_segment_map_with_a_deviation() -> None:
    notes = Notes()
    layout = SegmentEntryMap(0, (element(77, (Attribute.NU_BASIC, 2), kind=PULSE),))
    (found,) = read(segment(layout), "0048", notes)
    assert (found.channel.handle, found.channel.type, found.channel.unit, found.value) == (77, PULSE, None, 72.0)
    assert Oddity.SEGMENT_HANDLE_UNKNOWN in oddities(notes)


def test_type_in_the_segment_map_overrides_the_type_of_the_object_with_a_deviation() -> None:
    notes = Notes()
    layout = SegmentEntryMap(0, (element(1, (Attribute.NU_BASIC, 2), kind=PULSE),))
    (found,) = read(segment(layout), "0048", notes)
    assert (found.channel.type, found.channel.unit) == (PULSE, PERCENT)
    assert Oddity.SEGMENT_TYPE_OTHER in oddities(notes)


def test_segment_with_undecodable_entry_attributes_is_marked_as_incompletely_decoded() -> None:
    notes = Notes()
    layout = SegmentEntryMap(0, (element(1, (Attribute.NU_BASIC, 2), (2378, 4)), element(10)))
    found = EntryReader(segment(layout), DeviceModel(DEVICE, notes)).read(bytes.fromhex("0061 FF000001"), 0, 0.0)
    assert ([each.value for each in found.observations], found.whole) == ([97.0], False)
    assert {Oddity.SEGMENT_ATTRIBUTE_LEFT, Oddity.SEGMENT_ELEMENT_WITHOUT_VALUE} <= set(oddities(notes))


def test_five_thousand_segment_entries_of_one_layout_are_decoded() -> None:
    reader = EntryReader(segment(entry_map(DEVICE, [1, 10])), DeviceModel(DEVICE, Notes()))
    found = reader.read((AT + bytes.fromhex("0061 0048")) * 5_000, 0, 0.0)
    assert (len(found.observations), found.whole) == (10_000, True)


@pytest.mark.parametrize("header", [0, 0x8000, 0xE000])
def test_any_segment_data_is_decoded_or_raises_a_protocol_error(header: int) -> None:
    layout = SegmentEntryMap(
        header,
        (
            element(2, (Attribute.NU_COMPOUND_BASIC, 10), kind=PRESSURE),
            element(5, (Attribute.SA_SIMPLE, 7), kind=ECG_I, object_class=9),
            element(1, (Attribute.ENUM_OBSERVED, 10)),
        ),
    )
    reader = EntryReader(segment(layout), DeviceModel(DEVICE, Notes()))
    for seed in range(300):
        octets = bytes((seed * 7 + at * at) % 251 for at in range(reader.entry_bytes * 2))
        assert len(reader.read(octets, 0, 0.0).observations) <= 6
