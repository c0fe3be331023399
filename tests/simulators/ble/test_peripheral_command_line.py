"""`argus-sim ble`: devices and the virtual radio from the command line, with one sentence for each failure."""

import asyncio
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from protocols.ble.health_thermometer import TEMPERATURE_MEASUREMENT
from simulators.ble.kinds import BLE_KINDS, ble_address_of
from simulators.cli import app
from tests.builders.ble_peripheral import phone_on
from tests.harness.eventually import eventually
from tests.harness.radio_control import is_responding

ARGUS_SIM = Path(sys.executable).with_name("argus-sim")


async def started(*arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        ARGUS_SIM, "ble", *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )


async def test_ble_command_runs_a_device_and_prints_a_summary(tmp_path: Path):
    socket, control, witness = tmp_path / "radio", tmp_path / "control", tmp_path / "witness"
    radio = await started("radio", "--socket", str(socket), "--control", str(control))
    try:
        await eventually(lambda: is_responding(control), what="the radio responds")
        options = ("--unit", "9", "--witness", str(witness), "--memory", str(tmp_path / "memory"), "--static-random")
        device = await started("thermometer", "--radio", str(socket), "--for", "600", *options)
        async with phone_on(socket) as phone:
            await phone.connect(ble_address_of("thermometer", 9, static_random=True), random=True)
            await phone.pair()
            await phone.subscribe(TEMPERATURE_MEASUREMENT)
            await eventually(lambda: phone.values)
            # The phone has the value before the device has its confirmation.
            await eventually(lambda: "confirmed" in witness.read_text(), what="the device has the confirmation")
        device.terminate()
        out, _ = await device.communicate()
        assert device.returncode == 0
        first, last = out.decode().splitlines()
        assert first == "SIM-BLE-TEMP at C2:41:52:23:00:09"
        assert last.startswith("SIM-BLE-TEMP: 1 measured, 0 notified, 1 confirmed, 0 spoilt, 0 left")
        assert last.endswith("1 connections, 1 pairings")
        assert [line.split(" ")[0] for line in witness.read_text().splitlines()] == ["kept", "confirmed"]
    finally:
        radio.terminate()
        await radio.communicate()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("fish", "--radio", "x"), "there is no Bluetooth device 'fish'; there are oximeter, blood-pressure"),
        (("oximeter",), "the radio is missing: give --radio SOCKET"),
        (("oximeter", "--radio", "x", "--leaves", "5:9"), "is not EVERY:FOR in seconds"),
        (("oximeter", "--radio", "x", "--leaves", "often"), "is not EVERY:FOR in seconds"),
        (("oximeter", "--radio", "x", "--scenario", "fish"), "fish"),
        (("radio", "--socket", "/"), "is there and no socket"),
    ],
)
def test_ble_command_with_invalid_arguments_exits_with_one_and_an_explanation(
    arguments: tuple[str, ...], sentence: str
):
    said = CliRunner().invoke(app, ["ble", *arguments])
    assert said.exit_code == 1
    assert sentence in said.stderr.replace("\n", " ")
    assert said.stderr.startswith("argus-sim: ")


def test_ble_kinds_command_lists_every_device_kind_with_its_services():
    listed = CliRunner().invoke(app, ["ble", "kinds"]).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(BLE_KINDS)
    assert "0x1822" in listed[0]
