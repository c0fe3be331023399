"""What each simulated Bluetooth device tells a phone that has paired with it."""

from protocols.ble.blood_pressure import BLOOD_PRESSURE_MEASUREMENT
from protocols.ble.blood_pressure_values import decode_blood_pressure
from protocols.ble.pulse_oximeter import PLX_CONTINUOUS, decode_continuous
from tests.builders.ble_peripheral import room
from tests.harness.eventually import eventually


async def test_an_oximeter_tells_saturation_and_pulse_once_a_second():
    async with room("oximeter") as there:
        phone = await there.connected()
        await phone.subscribe(PLX_CONTINUOUS)
        await there.live(5)
        await eventually(lambda: len(phone.of(PLX_CONTINUOUS)) >= 4)
        values = [decode_continuous(octets) for octets in phone.of(PLX_CONTINUOUS)]
        assert all(90 <= float(value.normal.spo2) <= 100 for value in values)


async def test_a_cuff_hands_over_what_it_measured_while_nobody_listened_oldest_first():
    async with room("blood-pressure") as there:
        await there.live(100)
        assert there.device.status.waiting == 4
        phone = await there.connected()
        await phone.subscribe(BLOOD_PRESSURE_MEASUREMENT)
        await eventually(lambda: there.device.status.waiting == 0)
        values = [decode_blood_pressure(octets) for octets in phone.of(BLOOD_PRESSURE_MEASUREMENT)]
        times = [value.time_stamp for value in values]
        assert len(times) == len(set(times)) == 4
