"""A report is divided, in the order of its observations, into sections; a section has time stamps of one clock.

Only confirmed observations with a date are marked as stored measurements.
"""

from datetime import UTC, datetime, timedelta

from gateway.sessions.clocks.device_clock import DeviceClocks
from gateway.sessions.sections import sections_of
from gateway.transports.clock import Instant
from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.ieee11073.association.manager_events import ReportReceived
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from protocols.uplink.observations import DeviceRef, decode_block, encode_block

NOON = datetime(2026, 5, 6, 12, 0, tzinfo=UTC)
NOON_US = int(NOON.timestamp()) * 1_000_000
DEVICE = DeviceRef("1122334455667788", "SIM")
SPO2 = Channel(handle=1, type=code_of("MDC_PULS_OXIM_SAT_O2"))
PLETH = Channel(
    handle=2,
    type=code_of("MDC_PULS_OXIM_PLETH"),
    array=SampleArray(format=SampleFormat.U8, period_s=0.01, slope=1.0, offset=0.0),
)


DATED = absolute_time(NOON)
"""A date with which an observation is recognized by its content in these tests."""


def ticks(count: int) -> DeviceTime:
    return DeviceTime(TimeKind.RELATIVE, count.to_bytes(4, "big"))


def spo2(value: float, time: DeviceTime | None = None) -> Observation:
    return Observation(SPO2, value, None, 0, time, 100.0)


def report(*observations: Observation, confirmed: bool = False, received_s: float = 100.0) -> ReportReceived:
    return ReportReceived(observations, confirmed, 0, received_s)


def sections(*reports: ReportReceived, wall_us: int = NOON_US, clocks: DeviceClocks | None = None):
    known = clocks or DeviceClocks()
    return [
        section
        for each in reports
        for section in sections_of(
            each.observations,
            each.received_s,
            DEVICE,
            known,
            Instant(each.received_s, wall_us, "boot"),
            live=not each.confirmed,
            wall_synchronised=True,
            keyed=[each.confirmed and one.device_time is DATED for one in each.observations],
        )
    ]


def test_report_without_time_stamps_becomes_live_observations_with_the_reception_time():
    (section,) = sections(report(spo2(97.0), spo2(98.0), confirmed=True))
    assert section.device_offset_us is None
    assert not section.stored
    assert section.wall_offset_us + 100_000_000 == NOON_US
    assert len(section.observations) == 2


def test_only_confirmed_observations_with_a_date_are_marked_as_stored_measurements():
    dated = spo2(97.0, DATED)
    assert [each.stored for each in sections(report(dated, confirmed=True))] == [True]
    assert [each.stored for each in sections(report(dated))] == [False]


def test_observations_with_relative_time_stamps_are_not_marked_as_stored_measurements():
    assert [each.stored for each in sections(report(spo2(97.0, ticks(8000)), confirmed=True))] == [False]


def test_report_with_time_stamps_of_several_kinds_is_split_into_one_section_per_kind_in_order():
    dated, counted, bare = spo2(1.0, DATED), spo2(2.0, ticks(1)), spo2(3.0)
    made = sections(report(dated, dated, counted, bare, confirmed=True))
    assert [len(each.observations) for each in made] == [2, 1, 1]
    assert [o.value for each in made for o in each.observations] == [1.0, 1.0, 2.0, 3.0]
    assert [each.stored for each in made] == [True, False, False]


def test_live_report_of_a_device_with_a_clock_one_hour_slow_gives_an_offset_of_one_hour():
    slow = spo2(97.0, absolute_time(NOON - timedelta(hours=1)))
    (section,) = sections(report(slow))
    assert section.device_offset_us == 3_600_000_000


def test_time_uncertainty_of_a_confirmed_measurement_is_its_age_when_the_clock_offset_is_unknown():
    old = spo2(97.0, absolute_time(NOON - timedelta(days=7)))
    (section,) = sections(report(old, confirmed=True))
    assert section.device_offset_us is None
    assert section.uncertainty_us == 7 * 86_400_000_000


def test_time_stamp_of_a_waveform_is_the_time_of_its_first_sample():
    wave = Observation(PLETH, None, bytes(100), 0, ticks(8000), 100.0)
    (section,) = sections(report(wave))
    assert section.device_offset_us is not None
    first_sample_us = 1_000_000 + section.device_offset_us
    assert first_sample_us == NOON_US - 1_000_000


def test_offset_of_a_device_clock_changes_when_the_gateway_is_synchronised():
    clocks = DeviceClocks()
    (before,) = sections(report(spo2(97.0, ticks(8000))), wall_us=0, clocks=clocks)
    (after,) = sections(report(spo2(97.0, ticks(16_000)), received_s=101.0), wall_us=NOON_US, clocks=clocks)
    assert before.device_offset_us == -1_000_000
    assert after.device_offset_us == NOON_US - 2_000_000


def test_report_without_observations_creates_no_section():
    assert sections(report()) == []


def test_report_whose_time_stamp_contradicts_the_device_clock_gets_its_reception_time():
    clocks = DeviceClocks()
    for second in range(5):
        sections(report(spo2(97.0, absolute_time(NOON + timedelta(seconds=second)))), clocks=clocks)
    (jumped,) = sections(report(spo2(97.0, absolute_time(NOON + timedelta(hours=3)))), clocks=clocks)
    assert jumped.device_offset_us is None
    assert jumped.uncertainty_us >= 3 * 3_600_000_000 - 10_000_000


def test_every_possible_device_time_can_be_encoded_in_a_batch():
    for octets in (bytes(8), b"\xff" * 8, b"\x7f" + b"\xff" * 7):
        for kind in TimeKind:
            for clocks in (DeviceClocks(), known_clocks(kind)):
                made = sections(report(spo2(97.0, DeviceTime(kind, octets))), clocks=clocks)
                (back,) = decode_block(encode_block(made))
                assert back.observations == list(made[0].observations)


def known_clocks(kind: TimeKind) -> DeviceClocks:
    clocks = DeviceClocks()
    clocks.clock(DEVICE.system_id, kind).observe_reading(0, 0)
    return clocks
