"""The report of a device for its manufacturer: counts and deviations, limited in size and kept across restarts.

The bytes of a deviation appear only in this report.
"""

from dataclasses import replace

import structlog

from gateway.buffer import StoreFull
from gateway.console.device_view import report_json
from gateway.sessions.devices import history as device_history
from gateway.sessions.devices.histories import REPORTS_MAX, TURN_S, DeviceHistories, HistoryWriter
from gateway.sessions.devices.history import ClockSetting, DeviceHistory, SettingOutcome
from gateway.sessions.devices.history_encoding import decode_history, encode_history
from gateway.sessions.devices.history_recorder import HistoryRecorder
from gateway.sessions.devices.known_devices import met_device
from gateway.sessions.devices.roster import KnownDevice
from gateway.transports.tcp import connect_tcp
from protocols.deviation import Deviation
from protocols.device_time import TimeKind
from protocols.ieee11073.apdu.attributes import AvaType
from protocols.ieee11073.apdu.data import ConfigObject
from protocols.ieee11073.association.manager_events import AttributesReported
from protocols.ieee11073.dim.attribute import Attribute
from protocols.ieee11073.dim.configuration import Configuration
from protocols.ieee11073.dim.identity import identity_of
from protocols.ieee11073.tolerances import Oddity
from tests.builders.buffer_store import new_store, opened
from tests.builders.gateway_device import NOON
from tests.builders.gateway_sessions import Sessions, sessions
from tests.builders.report_device import ODD_ID, UNDECLARED_TIME, OddDevice, described, odd_device
from tests.harness.eventually import eventually
from tests.harness.moved_clock import MovedClock

DEVICE = ODD_ID.hex()
US = 1_000_000


def report_of(gateway: Sessions) -> DeviceHistory:
    report = gateway.context.histories.find(DEVICE)
    assert report is not None
    return report


def deviation(number: int = 0, octets: bytes = b"") -> Deviation:
    return Deviation(f"a synthetic deviation {number}", "20601 §0", octets, Oddity.REPORT_LONGER.key)


async def test_device_report_contains_association_and_report_counts_and_deviation_bytes(tmp_path):
    async with sessions(tmp_path) as gateway:
        for _ in range(2):
            async with odd_device(gateway.address) as oximeter:
                await oximeter.report()
                await oximeter.report()
            await eventually(lambda: not any(each.device for each in gateway.supervisor.sessions), what="it left")
        report = report_of(gateway)
        assert (report.associations, report.reports, report.observations) == (2, 4, 4)
        assert report.ends == {"released": 2}
        assert [(name, link.associations) for name, link in report.links.items()] == [("tcp:127.0.0.1", 2)]
        assert (report.config_id, report.learned) == (0x0190, False)
        (seen,) = report.deviations
        assert (seen.key, seen.associations) == (Oddity.REPORT_TIME_UNDECLARED.key, 2)
        assert seen.octets == bytes.fromhex(UNDECLARED_TIME)
        assert report.clocks[TimeKind.ABSOLUTE].offset_us is not None


async def test_deviation_in_an_association_request_is_recorded_for_the_requesting_device(tmp_path):
    async with sessions(tmp_path) as gateway:
        link = await connect_tcp(*gateway.address)
        await OddDevice(link).associate(config_id=0)
        await link.close()
        await eventually(lambda: gateway.context.histories.find(DEVICE) is not None, what="the device's report")
        assert [each.key for each in report_of(gateway).deviations] == [Oddity.CONFIG_ID_RANGE.key]


def test_deviation_that_arrived_before_the_association_request_is_not_recorded():
    histories = DeviceHistories()
    recorder = HistoryRecorder(histories, "serial:ttyS0")
    recorder.record(deviation(1), 1)
    recorder.begin_read()
    recorder.record(deviation(2), 2)
    recorder.begin_association(DEVICE, 3)
    assert [each.sentence for each in histories.of(DEVICE, 4).deviations] == ["a synthetic deviation 2"]


def test_device_report_lists_only_the_latest_attempts_to_set_the_device_clock():
    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=1)
    outcomes = [*SettingOutcome, *SettingOutcome, *SettingOutcome]
    for at_us, outcome in enumerate(outcomes):
        report.add_clock_setting(ClockSetting(at_us=at_us, outcome=outcome, why="why", offset_us=-90 * US))
    assert [each.outcome for each in report.settings] == outcomes[-device_history.SETTINGS_MAX :]
    first = report_json(report, None)["clock"]["settings"][0]
    assert (first["outcome"], first["why"], first["offset_s"]) == ("left as it was", "why", -90.0)


def test_device_report_of_a_hostile_device_is_bounded_in_size():
    report = DeviceHistory(system_id=DEVICE, first_us=0, last_us=0)
    attributes = tuple(AvaType(number, bytes(500)) for number in range(100))
    report.set_identity(identity_of(ODD_ID, attributes), 1)
    for number in range(1000):
        report.add_deviation(deviation(number, bytes(60_000)), number)
        report.add_association(f"serial:ttyS{number}", number)
    assert len(report.deviations) == device_history.DEVIATIONS_MAX
    assert report.deviations[-1].sentence == "a synthetic deviation 999"
    assert report.deviations_dropped == 1000 - device_history.DEVIATIONS_MAX
    assert len(report.links) == device_history.LINKS_MAX
    assert report.attributes_dropped > 0
    assert len(encode_history(report)) < 100_000


def test_least_recently_updated_device_report_is_removed_when_the_limit_is_exceeded():
    histories = DeviceHistories()
    for number in range(REPORTS_MAX + 1):
        histories.of(f"{number:016x}", number)
    assert histories.find(f"{0:016x}") is None
    assert histories.find(f"{1:016x}") is not None


def test_encoded_device_report_is_decoded_to_the_same_report():
    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=2, config_id=0x4001, learned=True)
    report.add_association("tcp:127.0.0.1:5", 3)
    report.add_deviation(deviation(1, b"\x01\x02"), 4)
    report.set_clock(TimeKind.RELATIVE, None, 5, 6)
    octets = encode_history(report)
    assert decode_history(octets) == replace(report, changes=0)
    assert decode_history(b"{}") is None
    assert decode_history(octets[:-1]) is None
    histories = DeviceHistories()
    histories.load([b"\x00", octets])
    assert histories.due(1e9) == []


async def test_device_report_that_changes_continuously_is_written_once_a_minute(tmp_path):
    clock = MovedClock()
    async with opened(new_store(tmp_path), clock=clock) as buffer:
        histories, written = DeviceHistories(), []

        class Store:
            async def remember_device_reports(self, reports):
                written.extend(system_id for system_id, _ in reports)
                await buffer.remember_device_reports(reports)

        writer = HistoryWriter(histories, Store(), clock)
        for _ in range(36):
            histories.of(DEVICE, clock.wall_us()).add_reports(1, 1, clock.wall_us())
            await writer.write()
            await clock.advance(TURN_S)
        assert written == [DEVICE] * 3
        await writer.write(all_of_them=True)
        (kept,) = [decode_history(octets) for octets in await buffer.device_reports()]
        assert kept is not None
        assert kept.reports == 36


async def test_device_report_refused_by_a_full_store_is_written_later():
    clock, histories = MovedClock(), DeviceHistories()

    class FullStore:
        async def remember_device_reports(self, reports):
            raise StoreFull("full")

    histories.of(DEVICE, 1).add_reports(1, 1, 1)
    await HistoryWriter(histories, FullStore(), clock).write()
    assert [report.system_id for report in histories.due(clock.monotonic_s())] == [DEVICE]


async def test_received_bytes_of_a_deviation_are_written_to_no_log_and_no_event(tmp_path):
    with structlog.testing.capture_logs() as logs:
        async with sessions(tmp_path) as gateway:
            async with odd_device(gateway.address) as oximeter:
                await oximeter.report()
            said = f"{logs} {[event.fields for event in await gateway.events()]}".lower()
    assert "map does not declare" in said
    assert UNDECLARED_TIME not in said
    assert repr(bytes.fromhex(UNDECLARED_TIME))[2:-1] not in said


def test_device_report_in_json_describes_attributes_and_values_as_text():
    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=9 * US, config_id=0x0190, agreed_us=1)

    report.set_identity(identity_of(ODD_ID, described()), 2 * US)
    report.set_clock(TimeKind.ABSOLUTE, 90 * US, US, 2 * US)
    report.set_clock(TimeKind.RELATIVE, round(NOON.timestamp()) * US, US, 2 * US)
    report.add_deviation(deviation(1, b"\xab\xcd"), 3 * US)
    said = report_json(report, None)
    assert (said["identity"]["model"], said["identity"]["serial_number"]) == ("Synthetic OX-2", "SN-0042")
    assert said["identity"]["specializations"][0]["name"] == "MDC_DEV_SPEC_PROFILE_PULS_OXIM"
    classes, regulation = said["regulatory"]
    assert classes["classes"] == [{"transport": "usb", "profile": "MDC_DEV_SPEC_PROFILE_PULS_OXIM"}]
    assert (classes["version"], regulation["unregulated"]) == ("1.5", True)
    assert [item["type"] for item in said["configuration"]["objects"]] == [
        "MDC_PULS_OXIM_SAT_O2",
        "MDC_PULS_OXIM_PULS_RATE",
    ]
    assert said["clock"]["info"]["capabilities"] == ["has a real-time clock"]
    absolute, relative = said["clock"]["relations"]
    assert (absolute["offset_s"], absolute["zero_at"]) == (90.0, None)
    assert (relative["offset_s"], relative["zero_at"]) == (None, "2026-05-06T12:00:00.000000Z")
    assert said["power"] == {"status": ["on battery"], "battery_percent": 85, "battery_remaining": "90.0 MDC_DIM_MIN"}
    (seen,) = said["deviations"]
    assert (seen["outcome"], seen["done"], seen["hex"]) == ("tolerated", Oddity.REPORT_LONGER.done, "abcd")


def test_configuration_with_thousands_of_attributes_is_truncated_in_the_device_report():
    avas = tuple(AvaType(number, b"") for number in range(60_000, 63_000))
    octets = Configuration(0x4001, (ConfigObject(6, 1, avas),)).encoded
    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=1, config_id=0x4001, agreed_us=1)
    shown = report_json(report, octets)["configuration"]
    assert len(shown["objects"][0]["attributes"]) + shown["attributes_left_out"] == 3000


def test_later_value_of_an_attribute_replaces_the_earlier_value_in_the_device_report():
    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=1)
    report.set_identity(identity_of(ODD_ID, described()), 2)
    report.update_attributes(((Attribute.BATTERY_LEVEL, b"\x00\x11"),), 3)
    said = report_json(report, None)
    assert (said["power"]["battery_percent"], said["identity"]["model"]) == (17, "Synthetic OX-2")


def test_manufacturer_and_model_of_a_device_survive_a_restart():

    report = DeviceHistory(system_id=DEVICE, first_us=1, last_us=9)
    report.set_identity(identity_of(ODD_ID, described("Synthetic\x1b[2J OX")), 2)
    device = met_device(KnownDevice(DEVICE, "", last_seen_us=3), report)
    assert (device.manufacturer, device.last_seen_us) == ("Invented Devices", 9)
    assert device.model.isprintable()
    assert Attribute.SYSTEM_MODEL in dict(report.attributes)


def test_attribute_reported_with_a_value_is_listed_in_the_device_report_under_the_object_of_that_value():
    report = DeviceHistory(system_id=DEVICE, first_us=0, last_us=0, config_id=0x0190, agreed_us=0)
    recorder = HistoryRecorder(DeviceHistories(), "tcp:127.0.0.1")
    recorder.history = report
    recorder.record(AttributesReported(1, None, None, ((2378, b"\x00\x00\x00\x02"), (0xF123, b"\x07")), 0.0), 3)
    kept = decode_history(encode_history(report))
    assert kept is not None
    assert kept.object_attributes == {(1, 2378): b"\x00\x00\x00\x02", (1, 0xF123): b"\x07"}
    shown = report_json(kept, None)["configuration"]["objects"]
    assert {each["name"]: each["hex"] for each in shown[0]["attributes"]}["MDC_ATTR_NU_ACCUR_MSMT"] == "00000002"
    assert "MDC_ATTR_NU_ACCUR_MSMT" not in {each["name"] for each in shown[1]["attributes"]}


def test_attributes_in_a_device_report_are_limited_in_number_and_size():
    report = DeviceHistory(system_id=DEVICE, first_us=0, last_us=0)
    for number in range(200):
        report.add_object_attributes(number, ((0xF000, bytes(1000)),), 1)
    assert len(report.object_attributes) == device_history.OBJECT_ATTRIBUTES_MAX
    assert {len(value) for value in report.object_attributes.values()} == {device_history.OCTETS_MAX}
