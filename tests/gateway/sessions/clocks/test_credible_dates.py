"""Two readings with the same date are both kept if the device's clock is unreliable. If the clock is good, a repeated
reading is recognized as a repetition.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from gateway.sessions.clocks.credible_dates import CredibleDates, Now, find_keyed_in_memory
from gateway.transports.tcp import connect_tcp
from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.ieee11073.nomenclature import code_of
from protocols.observation import Channel, Observation, SampleArray, SampleFormat
from protocols.observation_record import ObservationRecord
from tests.builders.content_keys import content_key
from tests.builders.gateway_device import device, device_on
from tests.builders.gateway_sessions import Sessions, sessions

NOW = datetime(2026, 11, 27, 11, 0, tzinfo=UTC)
PULSE = Channel(handle=1, type=code_of("MDC_PULS_RATE_NON_INV"))
PLETH = Channel(
    handle=2,
    type=code_of("MDC_PULS_OXIM_PLETH"),
    array=SampleArray(format=SampleFormat.U8, period_s=0.01, slope=1.0, offset=0.0),
)


def at(moment: datetime, value: float = 97.0, channel: Channel = PULSE) -> Observation:
    return Observation(channel, value, None, 0, absolute_time(moment), 1.0)


def keys(
    *observations: Observation,
    dates: CredibleDates | None = None,
    association: object = 1,
    synchronised: bool = True,
    off: timedelta | None = None,
) -> list[bool]:
    """Report the observations one after the other; return for each whether it gets a content key.

    A content key identifies a reading by its content, so that the cloud stores a repeated reading once. `off` is the
    time by which the device's clock is behind.
    """
    judge = dates or CredibleDates()
    offsets = {} if off is None else {TimeKind.ABSOLUTE: round(off.total_seconds()) * 1_000_000}
    now = Now(round(NOW.timestamp()) * 1_000_000, synchronised, association, offsets)
    return [judge.of_live("aa", [each], now)[0] for each in observations]


def test_dates_of_a_running_device_clock_are_credible_in_any_time_zone():
    for hours in (-14, -2, 0, 2, 14):
        moment = NOW + timedelta(hours=hours)
        assert keys(at(moment), at(moment + timedelta(seconds=1))) == [True, True]


@pytest.mark.finding("reliability-E")
def test_default_dates_and_dates_outside_the_valid_range_of_a_device_are_not_credible():
    for moment in (
        datetime(1999, 12, 31, 23, 59, 59, tzinfo=UTC),
        datetime(2000, 1, 1, 0, 0, 5, tzinfo=UTC),
        datetime(2026, 1, 1, 3, 0, tzinfo=UTC),
        NOW + timedelta(days=2),
        NOW - timedelta(days=800),
    ):
        assert keys(at(moment)) == [False], moment
    assert keys(Observation(PULSE, 97.0, None, 0, None, 1.0)) == [False]
    assert keys(Observation(PULSE, 97.0, None, 0, DeviceTime(TimeKind.RELATIVE, bytes(4)), 1.0)) == [False]


def test_device_date_of_1_january_is_credible_on_1_january():
    dates = CredibleDates()
    midnight = datetime(2027, 1, 1, 0, 0, 5, tzinfo=UTC)
    now = Now(round(midnight.timestamp()) * 1_000_000, True, 1, {})
    assert dates.of_live("aa", [at(midnight)], now) == [True]


def test_unsynchronised_gateway_accepts_dates_later_than_its_own_time():
    assert keys(at(NOW + timedelta(days=300)), synchronised=False) == [True]
    assert keys(at(datetime(2000, 1, 1, tzinfo=UTC)), synchronised=False) == [False]


@pytest.mark.finding("reliability-E")
def test_dates_of_a_device_clock_that_was_never_set_are_not_credible():
    dates = CredibleDates()
    wrong = NOW - timedelta(days=200)
    assert keys(at(wrong), dates=dates, off=timedelta(days=200)) == [False]
    assert keys(at(wrong + timedelta(seconds=1)), dates=dates) == [False]
    assert keys(at(NOW), dates=dates, off=timedelta(seconds=2)) == [True]


@pytest.mark.finding("reliability-E")
def test_only_the_first_reading_of_a_device_with_a_stopped_clock_gets_a_content_key():
    dates = CredibleDates()
    readings = [at(NOW, value) for value in (97.0, 98.0, 97.0, 97.0, 99.0, 97.0, 98.0)]
    assert keys(*readings, dates=dates) == [True, *[False] * 6]
    assert keys(at(NOW, 97.0), dates=dates, association=2) == [False]
    assert keys(at(NOW + timedelta(seconds=5)), dates=dates, association=2) == [True]


def test_reading_that_is_resent_after_a_lost_response_gets_its_content_key_again():
    dates = CredibleDates()
    assert keys(at(NOW), at(NOW + timedelta(seconds=1)), dates=dates) == [True, True]
    assert keys(at(NOW + timedelta(seconds=1)), dates=dates, association=2) == [True]


def test_reading_that_is_resent_after_a_refusal_gets_its_content_key_again():
    dates = CredibleDates()
    assert keys(at(NOW), dates=dates) == [True]
    dates.forget("aa", [at(NOW)])
    assert keys(at(NOW), dates=dates) == [True]


@pytest.mark.finding("reliability-E")
def test_live_waveforms_get_no_content_key():
    wave = Observation(PLETH, None, b"\x01\x02", 0, absolute_time(NOW), 1.0)
    assert keys(wave) == [False]


def test_stored_entry_that_repeats_an_earlier_date_gets_no_content_key():
    month_old = NOW - timedelta(days=30)
    memory = [at(month_old), at(month_old), at(NOW), at(datetime(2000, 1, 1, tzinfo=UTC))]
    wall_us = round(NOW.timestamp()) * 1_000_000
    assert find_keyed_in_memory(memory, wall_us, synchronised=True) == [True, False, True, False]


async def _kept_by_the_cloud(gateway: Sessions) -> int:
    """Return the number of stored values that the cloud keeps: of several values with one content key, it keeps one."""
    records: Sequence[ObservationRecord] = await gateway.stored()
    return len({content_key(each) or (each.lane, each.sequence, each.index) for each in records})


@pytest.mark.finding("reliability-E")
@pytest.mark.parametrize("start", [datetime(2010, 1, 1, tzinfo=UTC), datetime(2000, 2, 29, tzinfo=UTC)])
async def test_seven_readings_with_the_default_date_of_a_device_clock_become_seven_cloud_records(tmp_path, start):
    async with sessions(tmp_path) as gateway:
        for power_on in ((36.6, 36.7, 36.6), (36.6, 36.8), (36.6, 36.7)):
            async with device(gateway.address) as thermometer:
                for second, celsius in enumerate(power_on):
                    moment = absolute_time(start + timedelta(seconds=second))
                    assert await thermometer.measure(celsius, time=moment) == "answered"
        assert await _kept_by_the_cloud(gateway) == 7


@pytest.mark.finding("reliability-E")
async def test_seven_confirmed_readings_of_a_device_with_a_stopped_clock_are_seven_cloud_records(tmp_path):
    stopped = absolute_time(datetime.now(UTC).replace(microsecond=0))
    async with sessions(tmp_path) as gateway, device(gateway.address) as thermometer:
        for celsius in (36.6, 36.7, 36.6, 36.6, 36.8, 36.6, 36.7):
            assert await thermometer.measure(celsius, time=stopped) == "answered"
        assert await _kept_by_the_cloud(gateway) == 7


async def test_confirmed_reading_resent_on_a_new_link_is_one_cloud_record(tmp_path):
    async with sessions(tmp_path) as gateway:
        moment = absolute_time(datetime.now(UTC).replace(microsecond=0))
        for _ in range(2):
            async with device_on(await connect_tcp(*gateway.address)) as thermometer:
                assert await thermometer.measure(36.6, time=moment) == "answered"
        assert len(await gateway.stored()) == 2
        assert await _kept_by_the_cloud(gateway) == 1
