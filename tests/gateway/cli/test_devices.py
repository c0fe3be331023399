"""`argus-gateway devices show` prints the report of one device, found by its id, a prefix of its id, or its name."""

import pytest

from gateway.cli.devices import device_named
from gateway.cli.refusal import Refusal
from protocols.ieee11073.tolerances import Oddity
from tests.builders.gateway_device import device
from tests.builders.report_device import ODD_ID, odd_device
from tests.harness.eventually import eventually
from tests.harness.gateway_process import invoke, vehicle


def met(*ids_and_names: tuple[str, str]) -> list[dict[str, str]]:
    return [{"system_id": each, "manufacturer": "Invented", "model": name} for each, name in ids_and_names]


FLEET = met(("00aa11", "OX-1"), ("00aa22", "OX-2"), ("bb3300", "OX-2"), ("cc4400", "Aachen"), ("aac000", "Scale"))


@pytest.mark.parametrize(
    ("named", "found"),
    [
        ("00aa11", "00aa11"),
        ("00:AA:11", "00aa11"),
        ("0x00aa2", "00aa22"),
        ("b", "bb3300"),
        ("ox-1", "00aa11"),
        ("Invented Scale", "aac000"),
        ("sca", "aac000"),
        ("aac", "aac000"),
        ("aachen", "cc4400"),
    ],
)
def test_device_argument_matches_a_device_by_id_or_id_prefix_or_name(named, found):
    assert device_named(named, FLEET) == found


@pytest.mark.parametrize(
    ("named", "devices", "says"),
    [
        ("00aa", FLEET, "00aa means 2 devices: 00aa11, 00aa22"),
        ("OX-2", FLEET, "OX-2 means 2 devices: 00aa22, bb3300"),
        ("invented", met(*((f"{n:02x}", "OX") for n in range(9))), "and 4 more"),
        ("monitor", FLEET, "no device here is called monitor"),
        ("", FLEET, "no device here is called"),
        ("00", [], "has met no device yet"),
    ],
)
def test_device_argument_with_no_match_or_several_matches_is_rejected_with_the_reason(named, devices, says):
    with pytest.raises(Refusal, match=says):
        device_named(named, devices)


async def test_devices_show_command_prints_the_same_report_with_and_without_a_running_gateway(tmp_path):
    async with vehicle(tmp_path) as gateway:
        async with odd_device(gateway.address) as oximeter:
            await oximeter.report()
            connected = (await gateway.invoke("devices", "show", ODD_ID.hex(), "--json")).json()
            assert connected["connected"]
            assert connected["link"].startswith("tcp:")
        await eventually(lambda: _left(gateway), what="the device has left")
        running = (await gateway.invoke("devices", "show", "synthetic ox", "--json")).json()
        await gateway.stop()
        stopped = (await gateway.invoke("devices", "show", "0a0b", "--json")).json()
        assert stopped == running
        assert stopped["identity"]["serial_number"] == "SN-0042"
        (seen,) = stopped["deviations"]
        assert (seen["key"], seen["hex"]) == (Oddity.REPORT_TIME_UNDECLARED.key, "2026030112000000")
        listed = await gateway.invoke("devices")
        assert "Invented Devices Synthetic OX-2" in listed.out


async def _left(gateway):
    return not any(each["device"] for each in (await gateway.status())["sessions"])


async def test_device_report_on_a_terminal_shows_identity_and_configuration_and_deviations(tmp_path):
    async with vehicle(tmp_path) as gateway, odd_device(gateway.address) as oximeter:
        await oximeter.report()
        shown = await gateway.invoke("devices", "show", "0a0b")
        assert shown.code == 0, shown.err
        for words in (
            "Invented Devices Synthetic OX-2  0a0b0c0d0e0f0102",
            "continua certified",
            "unregulated device",
            "0x0190 (400), standard, known without a request",
            "handle 1 numeric MDC_PULS_OXIM_SAT_O2 in MDC_DIM_PERCENT",
            "has a real-time clock",
            "85 %",
            "tolerated  observations of handle 1 end with a time that their map does not declare",
            "2026 0301 1200 0000",
        ):
            assert words in shown.out, words
        assert max(len(line) for line in shown.out.splitlines()) <= 100


async def test_devices_show_command_for_an_unknown_device_prints_one_sentence(tmp_path):
    async with vehicle(tmp_path) as gateway:
        nobody = await gateway.invoke("devices", "show", "aa")
        assert (nobody.code, nobody.out, nobody.err.count("\n")) == (1, "", 1)
        assert "has met no device yet" in nobody.err
        async with device(gateway.address) as thermometer:
            await thermometer.measure(36.6)
        unknown = await gateway.invoke("devices", "show", "monitor")
        assert (unknown.code, unknown.out) == (1, "")
        assert "`argus-gateway devices` lists them" in unknown.err
    assert (await invoke("devices", "show")).code == 2
