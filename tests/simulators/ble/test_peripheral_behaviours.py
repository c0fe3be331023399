"""Simulated Bluetooth devices that can be set to misbehave towards a central, as real devices do."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bumble.att import ATT_Error
from bumble.hci import HCI_Error

from protocols.ble.current_time import CURRENT_TIME, current_time_at, decode_current_time, encode_current_time
from protocols.ble.device_information import SYSTEM_ID, system_id_of
from protocols.ble.glucose_values import GLUCOSE_CONTEXT, GLUCOSE_MEASUREMENT
from protocols.ble.health_thermometer import TEMPERATURE_MEASUREMENT, decode_temperature
from protocols.ble.interpretation import RecordNumbering
from protocols.ble.pulse_oximeter import PLX_CONTINUOUS, decode_continuous
from protocols.ble.record_access import Opcode, Operator, Result, encode_result, request
from protocols.ble.uuids import RECORD_ACCESS_CONTROL_POINT
from protocols.errors import RemoteProtocolError
from simulators.agents.own_clock import ClockBehaviour, SetResponse, Setting
from simulators.ble.behaviour import BleBehaviour
from simulators.ble.options import Absence, IdForm, Leaving, Lie, Pairing
from simulators.ble.radio import run_radio
from tests.builders.ble_peripheral import Room, room
from tests.harness.eventually import eventually

INSUFFICIENT_ENCRYPTION = 0x0F
PIN_OR_KEY_MISSING = 0x06
IGNORED = 0x80
ALL = request(Opcode.REPORT, Operator.ALL, numbering=RecordNumbering.SEQUENCE_NUMBER)
DONE = encode_result(Opcode.REPORT, Result.SUCCESS)
BUSY = encode_result(Opcode.REPORT, Result.SERVER_BUSY)


@asynccontextmanager
async def radio(socket: Path) -> AsyncIterator[None]:
    """Run a virtual radio at this socket during the block."""
    stop, ready = asyncio.Event(), asyncio.Event()
    running = asyncio.ensure_future(run_radio(socket, None, stop=stop, ready=ready.set))
    await ready.wait()
    try:
        yield
    finally:
        stop.set()
        await running


async def gone(there: Room) -> None:
    await eventually(lambda: not there.phone.connected, what="the phone sees that the device is gone")


@pytest.mark.parametrize("leaving", Leaving)
async def test_values_measured_during_the_absence_of_a_device_are_delivered_after_its_return(leaving: Leaving):
    away = BleBehaviour(absence=Absence(every_s=40, for_s=30, leaving=leaving))
    async with room("thermometer", away) as there:
        phone = await there.connected()
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await there.live(9)
        await eventually(lambda: len(phone.of(TEMPERATURE_MEASUREMENT)) == 1)
        await there.live(2)
        await gone(there)
        assert phone.reason == (0x08 if leaving is Leaving.OUT_OF_RANGE else 0x13)
        await there.live(28)
        assert not there.device.status.on_air
        assert there.device.status.pending == 2
        await there.live(2)
        await there.connected()
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await eventually(lambda: len(phone.of(TEMPERATURE_MEASUREMENT)) == 3)
        times = [decode_temperature(octets).time_stamp for octets in phone.of(TEMPERATURE_MEASUREMENT)]
        assert len(set(times)) == 3


async def test_device_advertises_again_after_its_radio_process_is_restarted(tmp_path: Path):
    socket = tmp_path / "radio"
    async with AsyncExitStack() as first:
        await first.enter_async_context(radio(socket))
        async with room("thermometer", air=socket) as there:
            await there.connected()
            await there.live(5)
            await first.aclose()
            await eventually(lambda: not there.device.status.on_air and not there.device.status.connected)
            await there.live(15)
            assert "no radio at" in there.device.status.trouble
            async with radio(socket):
                await there.on_air()
                assert there.device.status.pending == 2
                assert there.device.status.trouble == ""


async def test_device_with_the_resend_option_sends_the_same_bytes_on_each_connection():
    async with room("thermometer", BleBehaviour(resends=True)) as there:
        await there.live(35)
        for times in (1, 2):
            await there.connected()
            await there.phone.subscribe(TEMPERATURE_MEASUREMENT)
            await eventually(lambda times=times: there.device.status.confirmed == 3 * times)
            await there.phone.leave()
            await gone(there)
        told = there.phone.of(TEMPERATURE_MEASUREMENT)
        assert told[:3] == told[3:]
        assert len(told) == 6


@pytest.mark.parametrize("lie", Lie)
async def test_every_third_value_of_a_faulty_oximeter_cannot_be_decoded(lie: Lie):
    async with room("oximeter", BleBehaviour(lie=lie, lies_every=3)) as there:
        phone = await there.connected()
        await phone.subscribe(PLX_CONTINUOUS)
        await there.live(6)
        wrong = []
        for octets in phone.of(PLX_CONTINUOUS):
            try:
                decode_continuous(octets)
            except RemoteProtocolError:
                wrong.append(octets)
        assert len(wrong) == there.device.status.spoilt == 2
        assert len(phone.values) == 6


async def test_records_remain_available_after_a_link_loss_during_their_transfer():
    async with room("glucose", BleBehaviour(drops_link_after=3)) as there:
        await there.live(130)
        phone = await there.connected()
        for attempt in range(2):
            phone.values.clear()
            await phone.subscribe(GLUCOSE_MEASUREMENT, GLUCOSE_CONTEXT, RECORD_ACCESS_CONTROL_POINT)
            await phone.write(RECORD_ACCESS_CONTROL_POINT, ALL)
            if not attempt:
                await gone(there)
                assert len(phone.of(GLUCOSE_MEASUREMENT)) <= 2
                await there.connected()
        await eventually(lambda: DONE in phone.of(RECORD_ACCESS_CONTROL_POINT))
        assert len(phone.of(GLUCOSE_MEASUREMENT)) == len(phone.of(GLUCOSE_CONTEXT)) == 3


async def test_meter_returns_the_server_busy_response_the_configured_number_of_times():
    async with room("glucose", BleBehaviour(busy_times=2)) as there:
        await there.live(10)
        phone = await there.connected()
        await phone.subscribe(GLUCOSE_MEASUREMENT, GLUCOSE_CONTEXT, RECORD_ACCESS_CONTROL_POINT)
        for count in range(1, 4):
            await phone.write(RECORD_ACCESS_CONTROL_POINT, ALL)
            await eventually(lambda count=count: len(phone.of(RECORD_ACCESS_CONTROL_POINT)) == count)
        assert phone.of(RECORD_ACCESS_CONTROL_POINT) == [BUSY, BUSY, DONE]


async def test_slow_device_responds_to_a_read_after_its_configured_delay():
    async with room("thermometer", BleBehaviour(slow_s=2.0)) as there:
        phone = await there.connected()
        reading = asyncio.ensure_future(phone.read(SYSTEM_ID))
        await there.live(1)
        assert not reading.done()
        await there.live(2)
        await eventually(reading.done)


async def test_device_that_lost_its_bond_can_be_paired_again():
    async with room("thermometer", BleBehaviour(bonds_kept=False)) as there:
        phone = await there.connected()
        await phone.leave()
        await gone(there)
        await there.on_air()
        await phone.connect(there.device.address)
        with pytest.raises(HCI_Error) as refused:
            await phone.encrypt()
        assert refused.value.error_code == PIN_OR_KEY_MISSING
        await phone.leave()
        await gone(there)
        await there.on_air()
        await phone.connect(there.device.address)
        await phone.pair()
        await eventually(lambda: there.device.status.pairings == 2)


async def test_bond_of_a_simulated_device_survives_its_restart(tmp_path: Path):
    files = {"bonds": tmp_path / "bonds", "memory": tmp_path / "memory"}
    async with room("thermometer", **files) as there:
        await there.connected()
        await there.live(5)
        keys = there.phone.keys
    async with room("thermometer", phone_keys=keys, **files) as there:
        assert there.device.status.pending == 1
        phone = await there.connected()
        assert there.device.status.pairings == 0
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await eventually(lambda: len(phone.of(TEMPERATURE_MEASUREMENT)) == 1)


async def test_device_with_a_display_pairs_only_with_its_displayed_passkey():
    async with room("thermometer", BleBehaviour(pairing=Pairing.PASSKEY, passkey=123_456)) as there:
        await there.on_air()
        await there.phone.connect(there.device.address)
        with pytest.raises(Exception, match="CONFIRM_VALUE_FAILED"):
            await there.phone.pair(lambda: 123_457)
        await there.phone.leave()
        await gone(there)
        await there.on_air()
        await there.phone.connect(there.device.address)
        await there.phone.pair(lambda: there.device.status.passkey)
        await eventually(lambda: there.device.status.pairings == 1)
        assert there.device.status.passkey is None


async def test_device_without_pairing_support_rejects_pairing():
    async with room("thermometer", BleBehaviour(pairing=Pairing.NONE)) as there:
        phone = await there.connected(paired=False)
        with pytest.raises(Exception, match="PAIRING_NOT_SUPPORTED"):
            await phone.pair()
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await there.live(4)
        await eventually(lambda: phone.of(TEMPERATURE_MEASUREMENT))


async def test_device_rejects_a_subscription_over_an_unencrypted_link():
    async with room("thermometer") as there:
        phone = await there.connected(paired=False)
        with pytest.raises(ATT_Error) as refused:
            await phone.subscribe(TEMPERATURE_MEASUREMENT)
        assert refused.value.error_code == INSUFFICIENT_ENCRYPTION
        assert await phone.read(SYSTEM_ID)


async def test_static_random_address_and_its_bond_are_kept_across_connections():
    async with room("thermometer", BleBehaviour(static_random=True)) as there:
        for _ in range(2):
            phone = await there.connected()
            await phone.leave()
            await gone(there)
        assert there.device.address.startswith("C2:41:52:23")
        assert there.device.status.pairings == 1


@pytest.mark.parametrize("form", IdForm)
async def test_device_configured_with_a_reversed_or_missing_system_id_is_identified_correctly(form: IdForm):
    async with room("thermometer", BleBehaviour(id_form=form)) as there:
        phone = await there.connected()
        sent = await phone.read(SYSTEM_ID) if phone.has(SYSTEM_ID) else None
        assert (sent is None) == (form is IdForm.ABSENT)
        assert system_id_of(sent, there.device.address) == there.device.sensor.description.system_id


NOON = encode_current_time(current_time_at(datetime(2026, 5, 6, 12, 0, 0, tzinfo=UTC)))


@pytest.mark.parametrize(
    ("answer_to_set", "error", "shows"),
    [(SetResponse.OBEYS, 0, True), (SetResponse.REFUSES, IGNORED, False), (SetResponse.SILENT, 0, False)],
)
async def test_write_to_current_time_is_applied_or_rejected_or_ignored_as_configured(
    answer_to_set: SetResponse, error: int, shows: bool
):
    clock = ClockBehaviour(wrong_by_s=-3600.0, setting=Setting.MAY, set_response=answer_to_set)
    async with room("thermometer", BleBehaviour(clock=clock)) as there:
        phone = await there.connected()
        assert await phone.refusal(CURRENT_TIME, NOON) == error
        shown = decode_current_time(await phone.read(CURRENT_TIME)).date_time
        assert (shown == decode_current_time(NOON).date_time) == shows
        assert await phone.refusal(CURRENT_TIME, b"\0" * 10) == IGNORED


async def test_witness_file_lists_a_measurement_when_it_is_stored_and_when_it_is_confirmed(tmp_path: Path):
    path = tmp_path / "witness"
    async with room("thermometer", witness=path) as there:
        await there.live(5)
        phone = await there.connected()
        await phone.subscribe(TEMPERATURE_MEASUREMENT)
        await eventually(lambda: there.device.status.confirmed == 1)
        lines = [line.split(" ") for line in path.read_text().splitlines()]
    (octets,) = phone.of(TEMPERATURE_MEASUREMENT)
    system_id = there.device.sensor.description.system_id.hex()
    assert [line[:5] for line in lines] == [
        [what, system_id, "1", "2a1c", octets.hex()] for what in ("kept", "confirmed")
    ]
