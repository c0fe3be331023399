"""A device sends a confirmed report again when it got no confirmation: the waveforms of the report are stored once, and
no other waveform is dropped."""

import sys
from array import array
from datetime import timedelta

from protocols.device_time import DeviceTime, TimeKind, absolute_time
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.objects import numeric, waveform
from protocols.ieee11073.dim.reports import Reading
from protocols.ieee11073.nomenclature.code import Code
from tests.builders.gateway_device import NOON, OWN_CONFIGURATION, configured_device
from tests.builders.gateway_sessions import Sessions, sessions

RATE, ECG = 1, 2
SAMPLES = 4


def monitor(stamp: Attribute = Attribute.TIME_STAMP_ABSOLUTE) -> Configuration:
    """Return the configuration of a monitor with a rate without a time and an ECG whose time stamp is `stamp`."""
    return Configuration(
        OWN_CONFIGURATION,
        (
            numeric(RATE, Code(2, 18466), Code(4, 2720), value=Attribute.NU_SIMPLE),
            waveform(
                ECG,
                Code(2, 256),
                Code(4, 4274),
                period_s=0.004,
                samples=SAMPLES,
                physical=(-10.0, 10.0),
                raw=(-10_000, 10_000),
                time_stamp=stamp,
            ),
        ),
    )


def at(second: int) -> DeviceTime:
    return absolute_time(NOON + timedelta(seconds=second))


def ecg(level: int, time: DeviceTime, *, flat: bool = False) -> list[Reading]:
    samples = array("h", [level if flat else level + at for at in range(SAMPLES)])
    if sys.byteorder == "little":
        samples.byteswap()
    return [Reading(RATE, 70.0), Reading(ECG, samples.tobytes(), time)]


async def levels(gateway: Sessions) -> list[int]:
    """Return the first sample of each stored waveform, in the order of storage."""
    return [
        int.from_bytes(record.samples[:2], "big", signed=True)
        for record in await gateway.stored()
        if record.samples is not None
    ]


async def test_waveforms_resent_after_a_restart_of_the_gateway_are_stored_once(tmp_path):
    async with sessions(tmp_path) as gateway, configured_device(gateway.address, monitor()) as sender:
        assert await sender.report(ecg(1, at(1))) == "answered"
        assert await sender.report(ecg(2, at(2))) == "answered"
    async with sessions(tmp_path) as restarted, configured_device(restarted.address, monitor()) as sender:
        assert await sender.report(ecg(2, at(2))) == "answered"
        assert await sender.report(ecg(3, at(3))) == "answered"
        assert await levels(restarted) == [1, 2, 3]


async def test_waveforms_resent_after_a_lost_link_are_stored_once(tmp_path):
    async with sessions(tmp_path) as gateway:
        async with configured_device(gateway.address, monitor()) as sender:
            assert await sender.report(ecg(1, at(1))) == "answered"
        async with configured_device(gateway.address, monitor()) as sender:
            assert await sender.report(ecg(1, at(1))) == "answered"
            assert await sender.report(ecg(2, at(2))) == "answered"
        assert await levels(gateway) == [1, 2]


async def test_resent_waveforms_with_the_time_of_a_counter_are_stored_once(tmp_path):
    configuration = monitor(Attribute.TIME_STAMP_RELATIVE)
    first, second = (DeviceTime(TimeKind.RELATIVE, count.to_bytes(4, "big")) for count in (8_000, 16_000))
    async with sessions(tmp_path) as gateway, configured_device(gateway.address, configuration) as sender:
        assert await sender.report(ecg(1, first)) == "answered"
    async with sessions(tmp_path) as restarted, configured_device(restarted.address, configuration) as sender:
        assert await sender.report(ecg(1, first)) == "answered"
        assert await sender.report(ecg(1, second)) == "answered"
        assert await levels(restarted) == [1, 1]


async def test_flat_line_with_the_time_of_a_counter_is_stored_after_each_power_on(tmp_path):
    configuration = monitor(Attribute.TIME_STAMP_RELATIVE)
    since_power_on = DeviceTime(TimeKind.RELATIVE, (8_000).to_bytes(4, "big"))
    async with sessions(tmp_path) as gateway:
        for _ in range(2):
            async with configured_device(gateway.address, configuration) as sender:
                assert await sender.report(ecg(0, since_power_on, flat=True)) == "answered"
        assert await levels(gateway) == [0, 0]


async def test_value_without_a_time_is_stored_although_its_waveform_is_resent(tmp_path):
    async with sessions(tmp_path) as gateway, configured_device(gateway.address, monitor()) as sender:
        assert await sender.report(ecg(1, at(1))) == "answered"
    async with sessions(tmp_path) as restarted, configured_device(restarted.address, monitor()) as sender:
        assert await sender.report(ecg(1, at(1))) == "answered"
        assert [record.value for record in await restarted.stored() if record.samples is None] == [70.0, 70.0]


async def test_equal_waveforms_of_one_association_are_all_stored(tmp_path):
    async with sessions(tmp_path) as gateway, configured_device(gateway.address, monitor()) as sender:
        for _ in range(3):
            assert await sender.report(ecg(0, at(1), flat=True)) == "answered"
        assert await levels(gateway) == [0, 0, 0]


async def test_flat_line_of_a_device_whose_clock_stands_still_is_stored_in_each_association(tmp_path):
    async with sessions(tmp_path) as gateway:
        for _ in range(2):
            async with configured_device(gateway.address, monitor()) as sender:
                for _ in range(2):
                    assert await sender.report(ecg(0, at(1), flat=True)) == "answered"
        assert await levels(gateway) == [0, 0, 0, 0]


async def test_equal_waveforms_of_two_devices_are_both_stored(tmp_path):
    async with sessions(tmp_path) as gateway:
        for number in (1, 2):
            async with configured_device(gateway.address, monitor(), number) as sender:
                assert await sender.report(ecg(1, at(1))) == "answered"
        assert await levels(gateway) == [1, 1]


async def test_waveform_of_a_later_report_is_stored_after_the_association_has_sent_a_new_one(tmp_path):
    async with sessions(tmp_path) as gateway:
        async with configured_device(gateway.address, monitor()) as sender:
            assert await sender.report(ecg(1, at(1))) == "answered"
        async with configured_device(gateway.address, monitor()) as sender:
            assert await sender.report(ecg(2, at(2))) == "answered"
            assert await sender.report(ecg(1, at(1))) == "answered"
        assert await levels(gateway) == [1, 2, 1]
