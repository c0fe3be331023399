"""Values of a Bluetooth device are stored before they are shown; malformed values are reported and not stored."""

from dataclasses import replace
from pathlib import Path

import orjson

from gateway.console.device_view import report_json
from gateway.sessions.devices.history import DeviceHistory
from gateway.sessions.devices.history_encoding import decode_history, encode_history
from gateway.sessions.session import Session
from protocols.ble.uuids import BATTERY, DEVICE_INFORMATION, HEALTH_THERMOMETER, HEART_RATE
from protocols.uplink.gaps import GapReason
from protocols.uplink.lanes import Lane
from tests.builders.buffer_store import QUICK
from tests.builders.gateway_sessions import small_store
from tests.builders.gatt_devices import (
    BATTERY_LEVEL,
    BATTERY_LEVEL_STATUS,
    HEART_RATE_MEASUREMENT,
    MODEL,
    SYSTEM_ID,
    TEMPERATURE_MEASUREMENT,
    address,
    beat,
    belt,
    device,
    system_id,
    temperature,
    thermometer,
)
from tests.builders.gatt_sessions import fill, gatt_gateway
from tests.harness.eventually import eventually


async def test_three_equal_values_of_a_heart_rate_belt_are_stored_as_three_readings(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        served: Session = session
        await gateway.serving(session)
        assert served.device is not None
        assert served.device.ref.system_id == system_id(1).hex()
        assert served.device.ref.model == "Belt"
        for count in (1, 2, 3):
            assert beat(peer, 97)
            await eventually(lambda count=count: session.counts.reports == count)
        assert [value.observation.value for value in gateway.context.live.snapshot()[0].values] == [97.0]
        peer.lose()
        await gateway.ended()
        stored = await gateway.stored()
        assert [(each.value, each.stored, each.device.system_id) for each in stored] == [
            (97.0, False, system_id(1).hex())
        ] * 3
        assert gateway.trust.met == [(address(1), system_id(1).hex())]
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert (report.observations, report.links.keys(), report.ends) == (3, {f"ble:{address(1)}"}, {"link lost": 1})


async def test_indicated_value_without_a_date_is_durable_before_it_is_shown_and_a_notified_value_shares_a_commit(
    tmp_path: Path,
):
    settings = replace(QUICK, batch_s=3600.0)
    async with gatt_gateway(tmp_path, store_settings=settings) as gateway:
        streaming, indicating = belt(gateway.clock), thermometer(gateway.clock, 2)
        stream, readings = gateway.session(streaming), gateway.session(indicating)
        await gateway.serving(stream)
        await gateway.serving(readings)
        assert beat(streaming, 61)
        await eventually(lambda: stream.counts.reports == 1)
        assert await gateway.values() == []
        assert indicating.send(HEALTH_THERMOMETER, TEMPERATURE_MEASUREMENT, bytes.fromhex("006e0100ff"))
        await eventually(lambda: readings.counts.reports == 1)
        assert await gateway.values() == [61.0, 36.6], "a commit of the lane includes what is in memory"
        assert beat(streaming, 62)
        await eventually(lambda: stream.counts.reports == 2)
        assert await gateway.values() == [61.0, 36.6]


async def test_bluetooth_device_without_a_system_id_is_identified_by_its_address(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        del peer.values[DEVICE_INFORMATION, SYSTEM_ID]
        session = gateway.session(peer)
        await gateway.serving(session)
        assert session.device is not None
        assert session.device.ref.system_id == "024152fffe000001"


async def test_resent_indication_is_not_stored_or_counted_again(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        for _ in range(2):  # it did not get our confirmation before the link was lost, so it resends all of it
            session = gateway.session(peer)
            await gateway.serving(session)
            for minute in range(3):
                assert temperature(peer, 37.0, minute)
            peer.lose()
            await gateway.ended()
        stored = await gateway.stored()
        assert [(each.value, each.stored) for each in stored] == [(37.0, True)] * 3
        assert len({each.device_time for each in stored}) == 3
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert report.indications == 3
        assert (await gateway.event("device.disconnected")).fields["reports"] == 0


async def test_queued_notified_values_are_stored_after_the_link_is_lost(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        for rate in range(60, 160):
            beat(peer, rate)
        peer.lose()
        await gateway.ended()
        assert await gateway.values() == [float(rate) for rate in range(60, 160)]


async def test_notified_values_dropped_from_a_full_queue_are_counted_as_lost(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.queue_max = 4
        session = gateway.session(peer)
        await gateway.serving(session)
        for rate in range(60, 70):
            beat(peer, rate)
        await eventually(lambda: session.counts.lost == 6)
        assert (await gateway.event("reports.lost")).fields["count"] == 6
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert report.lost == 6


async def test_malformed_value_of_a_characteristic_is_reported_once_with_its_bytes(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        for _ in range(3):
            peer.send(HEART_RATE, HEART_RATE_MEASUREMENT, b"\x01\x50")
        beat(peer, 61)
        await eventually(lambda: session.counts.reports == 1)
        await eventually(lambda: session.counts.deviations == 3)
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        (seen,) = report.deviations
        assert seen.sentence.startswith("Heart Rate Measurement: ")
        assert seen.octets == b"\x01\x50"
        told = await gateway.event("device.deviation")
        assert (await gateway.event_names()).count("device.deviation") == 1
        assert "0150" not in str(told.fields)


async def test_refused_characteristic_reads_are_reported_as_deviations(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.refusals = {(DEVICE_INFORMATION, MODEL): 0x0E, (BATTERY, BATTERY_LEVEL): 0x05}
        session = gateway.session(peer)
        await gateway.serving(session)
        assert beat(peer, 70)
        await eventually(lambda: session.counts.reports == 1)
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        model, battery = (each.sentence for each in report.deviations)
        assert model.startswith("Model Number String: ")
        assert f"argus-gateway ble pair {address(1)}" in battery


async def test_service_without_a_mandatory_characteristic_is_reported_and_other_services_are_used(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.values[HEALTH_THERMOMETER, 0x2A1D] = b"\x02"
        session = gateway.session(peer)
        await gateway.serving(session)
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        assert [each.sentence for each in report.deviations] == [
            "its Health Thermometer service lacks Temperature Measurement"
        ]


async def test_device_without_a_supported_service_is_reported_with_the_services_it_has(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        session = gateway.session(device(gateway.clock))
        await gateway.ended()
        assert session.trouble == (
            "it shows no service that measures something we understand: Device Information, Battery"
        )
        assert gateway.context.histories.find(system_id(1).hex()) is None


async def test_values_of_two_services_of_one_device_are_stored_under_one_system_id(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.sends.add((HEALTH_THERMOMETER, TEMPERATURE_MEASUREMENT))
        session = gateway.session(peer)
        await gateway.serving(session)
        beat(peer, 70)
        temperature(peer, 36.5, 0)
        await eventually(lambda: session.counts.reports == 2)
        stored = await gateway.stored()
        assert [(each.value, each.stored) for each in stored] == [(70.0, False), (36.5, True)]
        assert len({each.device.system_id for each in stored}) == 1
        assert len({each.handle for each in stored}) == 2


async def test_values_refused_by_a_full_store_are_counted_in_a_gap_record(tmp_path: Path):
    async with gatt_gateway(tmp_path, store_settings=small_store(1 << 20)) as gateway:
        peer = belt(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        await fill(gateway.buffer)
        beat(peer, 70)
        await eventually(lambda: session.counts.lost == 1)
        gaps = [each.gap for each in await gateway.buffer.gaps() if each.lane is Lane.NUMERIC]
        assert [(gap.why, gap.observations) for gap in gaps] == [(GapReason.STORE_FULL, 1)]
        assert (await gateway.event("store.refused_values")).fields == {"values": 1, "kept": False}
        shown = [value.observation.value for each in gateway.context.live.snapshot() for value in each.values]
        assert shown == [70.0], "the crew sees it, and beside it that nothing is recorded"


async def test_second_device_with_the_system_id_of_a_silent_connected_device_is_refused(tmp_path: Path):
    async with gatt_gateway(tmp_path) as gateway:
        first, second = thermometer(gateway.clock, 1), thermometer(gateway.clock, 2)
        second.values[DEVICE_INFORMATION, SYSTEM_ID] = system_id(1)[::-1]
        session = gateway.session(first)
        await gateway.serving(session)
        await gateway.clock.advance(50.0)
        other = gateway.session(second)
        await gateway.until(lambda: bool(other.trouble), step_s=0.2)
        assert other.trouble.startswith(f"a device with the same system id {system_id(1).hex()} is connected")
        assert second.link is not None
        assert list(second.link.subscribed) == []
        await gateway.event("device.refused_duplicate_id")
        temperature(first, 37.0, 0)
        await eventually(lambda: session.counts.reports == 1)
        first.lose()
        await eventually(lambda: session.device is None)
        again = gateway.session(second)
        await gateway.serving(again)


async def test_device_report_contains_the_time_from_indication_to_commit(
    tmp_path: Path,
):
    async with gatt_gateway(tmp_path) as gateway:
        peer = thermometer(gateway.clock)
        session = gateway.session(peer)
        await gateway.serving(session)
        temperature(peer, 37.0, 0)
        await eventually(lambda: session.counts.reports == 1)
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        again = decode_history(encode_history(report))
        assert again is not None
        assert again.indications == 1
        told = report_json(again, None)["confirmed_before_durable"]
        assert told["indications"] == 1
        assert told["ms_p99"] <= told["ms_max"]
        peer.lose()
        await gateway.ended()
        assert (await gateway.event("device.disconnected")).fields["indications"] == 1


def test_device_report_stored_by_an_older_release_is_decoded_with_an_indication_count_of_zero():
    report = DeviceHistory(system_id=system_id(1).hex(), first_us=1, last_us=2)
    body = orjson.loads(encode_history(report))
    for name in ("indications", "window_us_max", "window_us_p99"):
        del body[name]
    older = decode_history(orjson.dumps(body))
    assert older is not None
    assert older.indications == 0


async def test_bytes_of_an_unsupported_value_appear_only_in_the_device_report(
    tmp_path: Path,
):
    async with gatt_gateway(tmp_path) as gateway:
        peer = belt(gateway.clock)
        peer.sends.add((BATTERY, BATTERY_LEVEL_STATUS))
        peer.values[BATTERY, BATTERY_LEVEL_STATUS] = bytes((0x02, 0x61, 0x00, 51))
        session = gateway.session(peer)
        await gateway.serving(session)
        for percent in (50, 49, 48):
            peer.send(BATTERY, BATTERY_LEVEL_STATUS, bytes((0x02, 0x61, 0x00, percent)))
        await eventually(lambda: session.counts.reports == 3)
        told = (await gateway.event("device.value_not_understood")).fields
        assert told == {
            "characteristic": "0x2BED",
            "why": "the power state of a battery has no code",
            "link": f"ble:{address(1)}",
        }
        assert (await gateway.event_names()).count("device.value_not_understood") == 1
        report = gateway.context.histories.find(system_id(1).hex())
        assert report is not None
        (seen,) = report.deviations
        assert seen.octets == bytes((0x02, 0x61, 0x00, 50))
        assert session.counts.deviations == 0
