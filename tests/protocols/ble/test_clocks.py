"""Times of device clocks in the three services that report them, and dates computed from Elapsed Time values."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from protocols.ble.current_time import (
    CURRENT_TIME,
    LOCAL_TIME_INFORMATION,
    REFERENCE_TIME_INFORMATION,
    CurrentTimeReader,
    current_time_at,
    decode_current_time,
    encode_current_time,
)
from protocols.ble.device_time import (
    DEVICE_TIME,
    DEVICE_TIME_CONTROL_POINT,
    DEVICE_TIME_FEATURE,
    DEVICE_TIME_PARAMETERS,
    DeviceClock,
    DeviceTimeReader,
    encode_device_time,
)
from protocols.ble.e2e_crc import e2e_crc
from protocols.ble.elapsed_time import (
    CURRENT_ELAPSED_TIME,
    CurrentElapsedTime,
    ElapsedTime,
    ElapsedTimeReader,
    dated,
    decode_current_elapsed_time,
    elapsed_time_at,
    encode_current_elapsed_time,
)
from protocols.ble.interpretation import ClockShown, GattEvent
from protocols.device_time import TimeKind
from protocols.errors import LocalProtocolError, RemoteProtocolError
from tests.builders.ble_reported import deviations, raw
from tests.builders.ble_values import sample


def shown(events: object) -> list[str]:
    assert isinstance(events, list | tuple)
    return [event.time.text() for event in events if isinstance(event, ClockShown)]


def test_current_time_is_decoded_as_local_time_in_hundredths_of_a_second() -> None:
    clock = CurrentTimeReader()
    assert shown(clock.learn(CURRENT_TIME, sample(CURRENT_TIME))) == ["2026-03-01T14:25:00.500"]
    assert shown(clock.receive(CURRENT_TIME, sample(CURRENT_TIME), 1.0)) == ["2026-03-01T14:25:00.500"]


def test_current_time_encoded_for_setting_a_clock_decodes_to_the_same_local_time() -> None:
    moment = datetime(2026, 3, 1, 14, 25, 7, 250_000, tzinfo=timezone(timedelta(hours=1)))
    octets = encode_current_time(current_time_at(moment))
    assert octets.hex(" ") == "ea 07 03 01 0e 19 07 07 40 01"
    assert shown(CurrentTimeReader().learn(CURRENT_TIME, octets)) == ["2026-03-01T14:25:07.250"]


@pytest.mark.parametrize(
    "octets", [bytes(10), bytes.fromhex("EA070230 0E1900 07 80 01"), bytes.fromhex("0F270C1F 173B3B 05 FF 00")]
)
def test_current_time_without_a_date_emits_one_deviation_and_no_time(octets: bytes) -> None:
    clock = CurrentTimeReader()
    assert deviations(clock.learn(CURRENT_TIME, octets)) == ["the clock shows no date"]
    assert list(clock.learn(CURRENT_TIME, octets)) == []


def test_local_and_reference_time_information_of_wrong_length_are_refused() -> None:
    clock = CurrentTimeReader()
    for uuid, octets in ((LOCAL_TIME_INFORMATION, b"\x04"), (REFERENCE_TIME_INFORMATION, bytes(5))):
        with pytest.raises(RemoteProtocolError):
            clock.learn(uuid, octets)
    assert decode_current_time(sample(CURRENT_TIME)).adjust_reason == 1


def test_elapsed_time_flags_select_base_offset_time_or_absolute_time_or_high_resolution_time() -> None:
    count = 825_686_700_000
    utc = dated(ElapsedTime(value=count, utc=True, resolution=2, zone_used=True, zone_quarters=4)).time
    local = dated(ElapsedTime(value=count, resolution=2)).time
    ticks = dated(ElapsedTime(value=90_061, tick=True, resolution=1)).time
    assert utc is not None
    assert local is not None
    assert ticks is not None
    assert (utc.kind, utc.text()) == (TimeKind.BASE_OFFSET, "2026-03-01T14:25:00.000+01:00")
    assert (local.kind, local.text()) == (TimeKind.ABSOLUTE, "2026-03-01T13:25:00.000")
    assert (ticks.kind, ticks.text()) == (TimeKind.HIGH_RESOLUTION, "hires:9006.100000")


@pytest.mark.parametrize(
    ("source", "tick", "kept"),
    [(0, False, False), (4, False, False), (7, False, False), (1, False, True), (2, False, True), (1, True, False)],
)
def test_elapsed_time_of_another_timeline_is_kept_only_if_its_clock_was_synchronised(
    source: int, tick: bool, kept: bool
) -> None:
    found = dated(ElapsedTime(value=5, utc=not tick, tick=tick, current_timeline=False, source=source))
    assert (found.time is not None) is kept
    assert bool(found.why_not) is not kept


def test_elapsed_time_beyond_the_supported_years_is_dropped_with_a_deviation() -> None:
    for octets in ("02", "00", "01"):
        late = bytes.fromhex(octets + "FFFFFFFFFFFF" + "01 00")
        flagged = bytes((late[0] | 0x20,)) + late[1:]
        events = ElapsedTimeReader().learn(CURRENT_ELAPSED_TIME, flagged)
        assert shown(events) == []
        assert len(deviations(events)) == 1


def test_current_elapsed_time_is_decoded_and_encoded_to_the_bytes_of_the_sample() -> None:
    octets = sample(CURRENT_ELAPSED_TIME)
    assert shown(ElapsedTimeReader().learn(CURRENT_ELAPSED_TIME, octets)) == ["2026-03-01T14:25:00.000+01:00"]
    moment_us = int(datetime(2026, 3, 1, 13, 25, tzinfo=UTC).timestamp()) * 1_000_000
    made = CurrentElapsedTime(elapsed_time_at(moment_us, source=1, zone_quarters=4))
    assert encode_current_elapsed_time(made) == octets
    with_status = encode_current_elapsed_time(CurrentElapsedTime(made.time, 1, 3))
    assert decode_current_elapsed_time(with_status) == CurrentElapsedTime(made.time, 1, 3)
    with pytest.raises(LocalProtocolError):
        elapsed_time_at(0, source=1)


@pytest.mark.parametrize("octets", [b"", bytes(8), bytes(10), bytes(12), b"\x40" + bytes(8)])
def test_elapsed_time_of_a_wrong_length_or_with_an_unknown_flag_is_refused(octets: bytes) -> None:
    with pytest.raises(RemoteProtocolError):
        decode_current_elapsed_time(octets)


def device_clock(status: int = 0x0012, *, base_time_s: int = 825_686_700, rest: bytes = b"") -> bytes:
    return encode_device_time(DeviceClock(base_time_s=base_time_s, zone_quarters=4, dst=0, status=status, rest=rest))


def test_device_time_counted_from_1900_or_2000_is_decoded_with_its_utc_offset() -> None:
    clock = DeviceTimeReader()
    assert shown(clock.learn(DEVICE_TIME, sample(DEVICE_TIME))) == ["2026-03-01T14:25:00.000+01:00"]
    since_1900 = device_clock(0x0002, base_time_s=825_686_700 + 3_155_673_600, rest=bytes(6))
    assert shown(clock.receive(DEVICE_TIME, since_1900, 1.0)) == ["2026-03-01T14:25:00.000+01:00"]


def test_clock_fault_is_reported_as_a_deviation_and_the_time_is_still_decoded() -> None:
    events: list[GattEvent] = list(DeviceTimeReader().learn(DEVICE_TIME, device_clock(0x0013)))
    assert len(shown(events)) == 1
    assert deviations(events) == ["the device says that its clock has a fault"]
    late = DeviceTimeReader().learn(DEVICE_TIME, device_clock(base_time_s=0xFFFFFFFF))
    assert (shown(late), len(deviations(late))) == ([], 1)


def test_device_time_without_the_announced_e2e_crc_is_refused() -> None:
    clock = DeviceTimeReader()
    clock.learn(DEVICE_TIME_FEATURE, b"\x01\x00")
    octets = device_clock()
    guarded = e2e_crc(octets).to_bytes(2, "little") + octets
    assert len(shown(clock.learn(DEVICE_TIME, guarded))) == 1
    with pytest.raises(RemoteProtocolError):
        clock.learn(DEVICE_TIME, octets)


def test_device_time_control_point_value_is_emitted_as_raw_bytes() -> None:
    clock = DeviceTimeReader()
    assert list(clock.learn(DEVICE_TIME_PARAMETERS, bytes(4))) == []
    assert raw(clock.receive(DEVICE_TIME_CONTROL_POINT, b"\x09\x02\x01", 1.0)) == [b"\x09\x02\x01"]
