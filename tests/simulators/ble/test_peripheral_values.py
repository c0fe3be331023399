"""The services of each simulated Bluetooth device, and the values that a paired phone reads."""

import pytest

from protocols.ble.battery import BATTERY_LEVEL
from protocols.ble.blood_pressure import BLOOD_PRESSURE_MEASUREMENT
from protocols.ble.blood_pressure_values import decode_blood_pressure
from protocols.ble.current_time import CURRENT_TIME
from protocols.ble.device_information import REGULATORY_CERTIFICATION, SYSTEM_ID, system_id_of
from protocols.ble.generic_health_sensor import GHS_CONTROL_POINT, START_LIVE
from protocols.ble.ghs_segments import LIVE_OBSERVATION, STORED_OBSERVATION
from protocols.ble.glucose_values import GLUCOSE_CONTEXT, GLUCOSE_MEASUREMENT, decode_context, decode_measurement
from protocols.ble.health_thermometer import TEMPERATURE_MEASUREMENT, decode_temperature
from protocols.ble.interpretation import Measured, RecordNumbering, Use
from protocols.ble.pulse_oximeter import PLX_CONTINUOUS, PLX_SPOT_CHECK, decode_continuous
from protocols.ble.record_access import Opcode, Operator, Result, encode_result, request
from protocols.ble.services import CODECS, PROFILES
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION, RECORD_ACCESS_CONTROL_POINT
from protocols.ble.uuids import CURRENT_TIME as CURRENT_TIME_SERVICE
from protocols.observation import Special
from simulators.agents.device import DeviceUnusable
from simulators.agents.kinds import description_of
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.kinds import BLE_KINDS, ble_address_of, ble_description_of
from tests.builders.ble_peripheral import room
from tests.harness.eventually import eventually

ALL = request(Opcode.REPORT, Operator.ALL, numbering=RecordNumbering.NONE)
DONE = encode_result(Opcode.REPORT, Result.SUCCESS)


@pytest.mark.parametrize("kind", BLE_KINDS)
async def test_each_device_kind_has_the_required_characteristics_and_device_information(kind: str):
    async with room(kind) as there:
        phone = await there.connected()
        own = set(there.device.sensor.services)
        assert phone.services >= own | {DEVICE_INFORMATION, BATTERY, CURRENT_TIME_SERVICE}
        for service in own:
            for use in PROFILES[service].characteristics:
                assert not use.required or phone.has(use.uuid), use.name
                if Use.READ in use.uses and phone.has(use.uuid):
                    CODECS[use.uuid].decode(await phone.read(use.uuid))
        described = ble_description_of(kind)
        assert system_id_of(await phone.read(SYSTEM_ID), there.device.address) == described.system_id
        CODECS[REGULATORY_CERTIFICATION].decode(await phone.read(REGULATORY_CERTIFICATION))
        assert CODECS[BATTERY_LEVEL].decode(await phone.read(BATTERY_LEVEL)) == 87
        CODECS[CURRENT_TIME].decode(await phone.read(CURRENT_TIME))


@pytest.mark.parametrize("kind", BLE_KINDS)
async def test_values_of_each_device_kind_are_decoded_without_deviations(kind: str):
    async with room(kind) as there:
        await there.live(10)
        phone = await there.connected()
        sensor = there.device.sensor
        subscribed = [each.uuid for each in sensor.offered() if each.way is not None]
        await phone.subscribe(*subscribed)
        if phone.has(GHS_CONTROL_POINT):
            await phone.write(GHS_CONTROL_POINT, bytes((START_LIVE,)))
        if sensor.numbering is not None:
            await phone.subscribe(RECORD_ACCESS_CONTROL_POINT)
            await phone.write(RECORD_ACCESS_CONTROL_POINT, ALL)
            await eventually(lambda: DONE in phone.of(RECORD_ACCESS_CONTROL_POINT))
        await there.live(3)
        interpreter = PROFILES[sensor.services[0]].interpreter()
        told = [
            event
            for uuid, octets in phone.values
            if uuid not in (RECORD_ACCESS_CONTROL_POINT, GHS_CONTROL_POINT)
            for event in interpreter.receive(uuid, octets, 0.0)
        ]
        told += interpreter.flush()
        assert told
        assert [event for event in told if not isinstance(event, Measured)] == []


async def test_oximeter_notifies_one_continuous_measurement_per_second():
    async with room("oximeter") as there:
        phone = await there.connected()
        await phone.subscribe(PLX_CONTINUOUS)
        await there.live(5)
        values = [decode_continuous(octets) for octets in phone.of(PLX_CONTINUOUS)]
        assert len(values) == 5
        assert all(90 <= float(value.normal.spo2) <= 100 for value in values)


async def test_oximeter_stores_one_spot_check_per_minute_only_while_disconnected():
    async with room("oximeter") as there:
        await there.live(70)
        assert there.device.status.pending == 2
        phone = await there.connected()
        await phone.subscribe(PLX_SPOT_CHECK, RECORD_ACCESS_CONTROL_POINT)
        await phone.write(RECORD_ACCESS_CONTROL_POINT, ALL)
        await eventually(lambda: DONE in phone.of(RECORD_ACCESS_CONTROL_POINT))
        assert len(set(phone.of(PLX_SPOT_CHECK))) == 2
        await there.live(60)
        assert there.device.status.pending == 2


async def test_spot_check_oximeter_deletes_a_stored_measurement_when_it_is_confirmed():
    async with room("spot-oximeter") as there:
        await there.live(10)
        assert there.device.status.pending == 1
        phone = await there.connected()
        await phone.subscribe(PLX_SPOT_CHECK)
        await there.live(60)
        await eventually(lambda: len(phone.of(PLX_SPOT_CHECK)) == 1)
        await eventually(lambda: there.device.status.pending == 1)


async def test_blood_pressure_cuff_sends_stored_measurements_oldest_first_after_subscription():
    async with room("blood-pressure") as there:
        await there.live(70)
        assert there.device.status.pending == 3
        phone = await there.connected()
        await phone.subscribe(BLOOD_PRESSURE_MEASUREMENT)
        await eventually(lambda: there.device.status.pending == 0)
        values = [decode_blood_pressure(octets) for octets in phone.of(BLOOD_PRESSURE_MEASUREMENT)]
        times = [value.time_stamp for value in values]
        assert len(times) == 3
        assert times == sorted(times, key=lambda time: time or b"")
        assert len(set(times)) == 3


async def test_blood_pressure_cuff_sends_nan_when_the_patient_has_no_pulse():
    async with room("blood-pressure", scenario="cardiac-arrest") as there:
        await there.live(70)
        phone = await there.connected()
        await phone.subscribe(BLOOD_PRESSURE_MEASUREMENT)
        await eventually(lambda: there.device.status.pending == 0)
        values = [decode_blood_pressure(octets) for octets in phone.of(BLOOD_PRESSURE_MEASUREMENT)]
        assert Special.NAN in {value.systolic for value in values}


async def test_device_without_a_clock_has_no_current_time_service_and_sends_no_time_stamps():
    async with room("thermometer", BleBehaviour(shows_time=False)) as there:
        phone = await there.connected()
        assert CURRENT_TIME_SERVICE not in phone.services
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await there.live(20)
        await eventually(lambda: len(phone.of(TEMPERATURE_MEASUREMENT)) == 2)
        assert {decode_temperature(octets).time_stamp for octets in phone.of(TEMPERATURE_MEASUREMENT)} == {None}


async def test_glucose_measurement_and_context_share_a_sequence_number():
    async with room("glucose") as there:
        await there.live(130)
        phone = await there.connected()
        await phone.subscribe(GLUCOSE_MEASUREMENT, GLUCOSE_CONTEXT, RECORD_ACCESS_CONTROL_POINT)
        newer = request(Opcode.REPORT, Operator.AT_LEAST, 2, numbering=RecordNumbering.SEQUENCE_NUMBER)
        await phone.write(RECORD_ACCESS_CONTROL_POINT, newer)
        await eventually(lambda: DONE in phone.of(RECORD_ACCESS_CONTROL_POINT))
        assert [decode_measurement(each).sequence_number for each in phone.of(GLUCOSE_MEASUREMENT)] == [2, 3]
        assert [decode_context(each).sequence_number for each in phone.of(GLUCOSE_CONTEXT)] == [2, 3]
        delete = request(Opcode.DELETE, Operator.AT_MOST, 2, numbering=RecordNumbering.SEQUENCE_NUMBER)
        await phone.write(RECORD_ACCESS_CONTROL_POINT, delete)
        await eventually(lambda: encode_result(Opcode.DELETE, Result.SUCCESS) in phone.of(RECORD_ACCESS_CONTROL_POINT))
        assert [kept.number for kept in there.device.ledger.store.kept()] == [3]


async def test_health_sensor_sends_no_live_observation_before_the_start_command():
    async with room("health-sensor") as there:
        await there.live(25)
        phone = await there.connected()
        await phone.subscribe(LIVE_OBSERVATION, STORED_OBSERVATION, GHS_CONTROL_POINT, RECORD_ACCESS_CONTROL_POINT)
        await there.live(3)
        assert phone.of(LIVE_OBSERVATION) == []
        await phone.write(GHS_CONTROL_POINT, bytes((START_LIVE,)))
        await eventually(lambda: phone.of(GHS_CONTROL_POINT) == [b"\x80"])
        await there.live(3)
        assert len(phone.of(LIVE_OBSERVATION)) == 6


async def test_value_larger_than_the_mtu_is_sent_in_segments_or_stays_stored_if_it_cannot_be_segmented():
    async with room("health-sensor", phone_mtu=23) as there:
        phone = await there.connected()
        await phone.subscribe(LIVE_OBSERVATION, GHS_CONTROL_POINT)
        await phone.write(GHS_CONTROL_POINT, bytes((START_LIVE,)))
        await there.live(2)
        interpreter = PROFILES[there.device.sensor.services[0]].interpreter()
        events = [event for octets in phone.of(LIVE_OBSERVATION) for event in interpreter.receive(0x2B8B, octets, 0.0)]
        assert max(map(len, phone.of(LIVE_OBSERVATION))) == 20
        assert [type(event) for event in events] == [Measured] * 4
    async with room("thermometer", phone_mtu=23) as there:
        there.device.ledger.keep(lambda number: ((TEMPERATURE_MEASUREMENT, bytes(21)),))
        phone = await there.connected()
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await there.live(5)
        await eventually(lambda: there.device.status.confirmed == 1)
        assert [len(octets) for octets in phone.of(TEMPERATURE_MEASUREMENT)] == [12]
        assert [kept.number for kept in there.device.ledger.store.kept()] == [1]


async def test_record_request_without_a_measurement_subscription_is_rejected():
    async with room("glucose") as there:
        await there.live(10)
        phone = await there.connected()
        await phone.subscribe(RECORD_ACCESS_CONTROL_POINT)
        assert await phone.refusal(RECORD_ACCESS_CONTROL_POINT, ALL) == 0xFD


def test_system_ids_of_bluetooth_devices_match_their_addresses_and_differ_from_wired_system_ids():
    for kind in BLE_KINDS:
        described, address = ble_description_of(kind, 7), ble_address_of(kind, 7)
        assert system_id_of(None, address) == described.system_id
        assert int(ble_address_of(kind, static_random=True)[:2], 16) & 0xC0 == 0xC0
    assert ble_description_of("oximeter").system_id != description_of("oximeter").system_id
    assert len({ble_address_of(kind) for kind in BLE_KINDS}) == len(BLE_KINDS)
    with pytest.raises(DeviceUnusable, match="no Bluetooth device 'fish'; there are oximeter"):
        ble_description_of("fish")
