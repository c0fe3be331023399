"""The manager decodes everything that an agent reports in any form: values, codes, units, persons, times, status."""

from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocols.device_time import DeviceTime, absolute_time
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.association.report_intake import ReportIntake
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.notes import Notes
from protocols.ieee11073.dim.objects import compound, enumeration, numeric, waveform
from protocols.ieee11073.dim.report_forms import EVENT_TYPES, Reporter, ReportForm, ScanForm
from protocols.ieee11073.dim.report_values import FullEnumeration, FullNumeric
from protocols.ieee11073.dim.reports import Reading, ScanReport, fixed_report, grouped_report, variable_report
from protocols.ieee11073.nomenclature.code import Code
from protocols.medfloat import float_of, sfloat_of
from protocols.observation import Observation, SampleFormat
from tests.builders.ieee11073_apdus import scan_report
from tests.builders.ieee11073_devices import ECG_I, MILLIVOLT, MMHG, PERCENT, PRESSURE, SPO2, STAMP, SYSTOLIC
from tests.builders.reports_reading import Read, scanner, with_attributes

FEW = settings(max_examples=25, derandomize=True)
SAMPLES = 6
_SCANNED = (
    numeric(1, SPO2, PERCENT, time_stamp=STAMP),
    numeric(2, SPO2, PERCENT, value=Attribute.NU_SIMPLE, time_stamp=STAMP),
    compound(3, PRESSURE, (SYSTOLIC, SYSTOLIC), MMHG, time_stamp=STAMP),
    compound(4, PRESSURE, (SYSTOLIC, SYSTOLIC), MMHG, value=Attribute.NU_COMPOUND_SIMPLE, time_stamp=STAMP),
    enumeration(5, Code(2, 100), partition=10, time_stamp=STAMP),
    enumeration(6, Code(2, 101), value=Attribute.ENUM_BASIC_BITS, time_stamp=STAMP),
    enumeration(7, Code(2, 102), value=Attribute.ENUM_SIMPLE_BITS, time_stamp=STAMP),
    waveform(
        8,
        ECG_I,
        MILLIVOLT,
        period_s=0.004,
        samples=SAMPLES,
        sample_format=SampleFormat.I16,
        physical=(-2.0, 2.0),
        raw=(-2000, 2000),
        time_stamp=STAMP,
    ),
)
EPISODIC, PERIODIC = 20, 30
DEVICE = Configuration(
    0x4060,
    (
        *_SCANNED,
        enumeration(9, Code(2, 103), value=Attribute.ENUM_SIMPLE_STRING),
        scanner(EPISODIC, _SCANNED, episodic=True),
        scanner(PERIODIC, _SCANNED, episodic=False),
    ),
)
SCANNERS = {Reporter.DEVICE: None, Reporter.EPISODIC: EPISODIC, Reporter.PERIODIC: PERIODIC}

u16, u32 = st.integers(0, 0xFFFF), st.integers(0, 0xFFFF_FFFF)
# Each number is made from its bytes, so that a device could have sent it.
sfloats = u16.map(sfloat_of).filter(lambda value: not isinstance(value, float) or abs(value) < 1e9)
floats = st.one_of(
    st.tuples(st.integers(-(10**6), 10**6), st.integers(0, 4)).map(lambda pair: pair[0] / 10 ** pair[1]),
    st.sampled_from([float_of(raw) for raw in (0x007F_FFFF, 0x0080_0000, 0x007F_FFFE, 0x0080_0002)]),
)
texts = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=12)
codes = u16.map(lambda code: Code(10, code))
times = st.integers(0, 3_155_673_600_00).map(
    lambda hundredths: absolute_time(datetime(2000, 1, 1, tzinfo=UTC) + timedelta(milliseconds=10 * hundredths))
)
VALUES: dict[int, st.SearchStrategy[Any]] = {
    1: sfloats,
    2: floats,
    3: st.tuples(sfloats, sfloats),
    4: st.tuples(floats, floats),
    5: codes,
    6: u16,
    7: u32,
    8: st.binary(min_size=2 * SAMPLES, max_size=2 * SAMPLES),
}
persons = st.integers(0, 0xFFFF)


class Seen(NamedTuple):
    """The attributes in which a sent reading and a received observation are compared."""

    person: int | None
    handle: int
    value: object
    status: int
    time: DeviceTime | None


def reading_of(handle: int, values: st.SearchStrategy[Any], person: int | None) -> st.SearchStrategy[Reading]:
    return st.builds(Reading, handle=st.just(handle), value=values, time=times, person=st.just(person))


def readings_of(person: int | None) -> st.SearchStrategy[list[Reading]]:
    one = st.sampled_from(sorted(VALUES)).flatmap(lambda handle: reading_of(handle, VALUES[handle], person))
    return st.lists(one, min_size=1, max_size=5)


def groups_of(person: int | None) -> st.SearchStrategy[list[Reading]]:
    """Generate the readings of one group: one reading of each object that the scanners map."""
    return st.tuples(*[reading_of(handle, VALUES[handle], person) for handle in sorted(VALUES)]).map(list)


def expected(readings: list[Reading]) -> list[Seen]:
    return [Seen(one.person, one.handle, one.value, one.status or 0, one.time) for one in readings]


def seen(one: Observation) -> Seen:
    value = one.samples if one.value is None else one.value
    return Seen(one.channel.person, one.channel.handle, value, one.status, one.device_time)


def observed(*apdus: bytes) -> list[Observation]:
    """Decode the reports in two ways, as reports received together and one by one; return the observations.

    Check that both ways give the same result. The first report with a new list of objects and attributes compiles a
    decoding plan, which later reports with the same list use.
    """
    notes = Notes()
    runs, singles = [ReportIntake(DEVICE, notes, iter(range(1, 1_000_000)), {}) for _ in range(2)]
    found: list[Observation] = []
    for apdu in apdus:
        octets, events = runs.take_known(memoryview(apdu), 1.0)
        single = singles.take_single(apdu, 1.0)
        if not octets:
            assert single is None
            events = runs.take_new(apdu, 1.0)
            assert singles.take_new(apdu, 1.0) == events
        elif single is None:  # it carries attributes that are not values
            assert singles.take_known(memoryview(apdu), 1.0) == (octets, events)
        else:
            assert [single] == events
        found += [one for event in events if isinstance(event, ReportReceived) for one in event.observations]
    assert notes.drain() == []
    return found


def report_of(form: ScanForm, groups: list[list[Reading]]) -> ScanReport:
    handle = SCANNERS[form.reporter]
    if form.form is ReportForm.GROUPED:
        assert handle is not None
        return grouped_report(DEVICE, handle, groups)
    readings = [reading for group in groups for reading in group]
    make = fixed_report if form.form is ReportForm.FIXED else variable_report
    return make(DEVICE, readings, scanner=handle)


@pytest.mark.parametrize(
    "form", EVENT_TYPES, ids=lambda form: f"{form.reporter.value}-{form.form.value}-{form.persons}"
)
def test_encoded_readings_are_decoded_to_the_same_observations(form: ScanForm) -> None:
    whose = persons if form.persons else st.none()
    group = groups_of if form.form is ReportForm.GROUPED else readings_of

    @FEW
    @given(st.lists(whose.flatmap(group), min_size=1, max_size=3))
    def holds(groups: list[list[Reading]]) -> None:
        apdus = [scan_report(report_of(form, groups), report_no=at) for at in range(2)]
        due = expected([reading for readings in groups for reading in readings])
        assert [seen(one) for one in observed(*apdus)] == due + due

    holds()


@settings(FEW, max_examples=60)
@given(st.lists(st.builds(FullNumeric, u16.filter(bool), u16.filter(bool), floats, u16), min_size=1, max_size=4), times)
def test_encoded_nu_observed_values_are_decoded_to_the_same_values(values: list[FullNumeric], time: DeviceTime) -> None:
    report = variable_report(DEVICE, (Reading(1, tuple(values), time),))
    found = observed(scan_report(report), scan_report(report, report_no=1))[len(values) :]
    assert [(one.channel.type.code, one.channel.unit, one.value, one.status, one.device_time) for one in found] == [
        (full.metric_id, Code(4, full.unit_code), full.value, full.status, time) for full in values
    ]


@settings(FEW, max_examples=60)
@given(st.builds(FullEnumeration, u16.filter(bool), st.one_of(codes, texts, u32), u16))
def test_encoded_enum_observed_values_are_decoded_to_the_same_values(full: FullEnumeration) -> None:
    report = variable_report(DEVICE, (Reading(5, full),))
    _, found = observed(scan_report(report), scan_report(report, report_no=1))
    assert (found.channel.type, found.value, found.status) == (Code(2, full.metric_id), full.value, full.status)


@settings(FEW, max_examples=60)
@given(texts)
def test_encoded_text_values_are_decoded_to_the_same_values(text: str) -> None:
    (found,) = observed(scan_report(variable_report(DEVICE, (Reading(9, text),))))
    assert found.value == text


@settings(FEW, max_examples=60)
@given(
    st.sampled_from([SampleFormat.U8, SampleFormat.U16, SampleFormat.U32]),
    st.data(),
)
def test_masked_samples_are_decoded_to_their_significant_bits(sample_format: SampleFormat, data: st.DataObject) -> None:
    width = 8 * sample_format.width_bytes
    bits = data.draw(st.integers(1, width))
    samples = data.draw(st.lists(st.integers(0, (1 << width) - 1), min_size=1, max_size=6))
    sent = b"".join(sample.to_bytes(sample_format.width_bytes, "big") for sample in samples)
    specification = len(samples).to_bytes(2, "big") + bytes([width, bits]) + b"\x10\x00"
    lead = waveform(
        1,
        ECG_I,
        MILLIVOLT,
        period_s=0.004,
        samples=len(samples),
        sample_format=sample_format,
        physical=(0.0, 1.0),
        raw=(0, 1),
    )
    configuration = Configuration(0x4061, (with_attributes(lead, (Attribute.SA_SPECIFICATION, specification.hex())),))
    (found,) = Read(configuration)(fixed_report(configuration, (Reading(1, sent),)))
    masked = [sample & (1 << bits) - 1 for sample in samples]
    assert found.samples == b"".join(sample.to_bytes(sample_format.width_bytes, "big") for sample in masked)
