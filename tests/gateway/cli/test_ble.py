"""`argus-gateway ble` while no gateway runs, and command lines that it rejects before it contacts a gateway."""

import asyncio
import json
from pathlib import Path

import pytest

from gateway.buffer.ble_devices import PairedDevice
from gateway.cli.ble import forget, list_paired, pair, scan
from gateway.cli.provision import provisioned
from gateway.cli.refusal import Refusal
from gateway.cli.stopped import opened
from gateway.console.control import ControlUnavailable
from gateway.console.status import stopped_json
from gateway.settings import load
from tests.databases.make_buffer import OXIMETER
from tests.harness.gateway_process import Vehicle


def vehicle_with(folder: Path, *paired: PairedDevice) -> Vehicle:
    """Provision a vehicle without a running gateway. Its store lists these devices as paired Bluetooth devices and as
    known devices."""
    made = Vehicle(folder, more_settings='[ble]\nadapter = "hci7"\n')
    settings = load(made.config)
    provisioned(settings)

    async def remember() -> None:
        async with opened(settings) as buffer:
            for device in paired:
                await buffer.remember_ble_device(device)
                await buffer.remember_device(device.system_id, "")

    asyncio.run(remember())
    return made


def test_ble_list_command_reads_paired_devices_from_the_store_when_no_gateway_runs(
    tmp_path: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    made = vehicle_with(tmp_path, OXIMETER)
    list_paired(made.config, as_json=True)
    (row,) = [json.loads(line) for line in capfdbinary.readouterr().out.splitlines()]
    assert (row["address"], row["name"], row["bonded"]) == (OXIMETER.address, OXIMETER.name, True)
    assert (row["services"], row["offers"]) == (["1822", "180f"], "Pulse Oximeter")
    assert row["connected"] is False
    assert row["last_seen"]


def test_ble_list_command_on_a_terminal_warns_that_no_gateway_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = vehicle_with(tmp_path, OXIMETER)
    list_paired(made.config, as_json=False)
    shown = capsys.readouterr()
    assert "1 Bluetooth device paired" in shown.out
    assert OXIMETER.address in shown.out
    assert "No gateway runs" in shown.err


def test_status_command_counts_the_paired_devices_of_a_stopped_gateway(tmp_path: Path) -> None:
    made = vehicle_with(tmp_path, OXIMETER)
    settings = load(made.config)

    async def status() -> object:
        async with opened(settings) as buffer:
            return (await stopped_json(settings, buffer))["bluetooth"]

    assert asyncio.run(status()) == {
        "adapter": "hci7",
        "trouble": None,
        "paired": 1,
        "connected": 0,
        "without_bond": 0,
        "troubles": [],
    }


def test_ble_scan_and_ble_forget_commands_fail_without_a_running_gateway(tmp_path: Path) -> None:
    made = vehicle_with(tmp_path)
    with pytest.raises(ControlUnavailable, match="argus-gateway run"):
        scan(made.config, seconds=0, as_json=True)
    with pytest.raises(ControlUnavailable, match="argus-gateway run"):
        forget(made.config, OXIMETER.address, as_json=True)


def test_ble_pair_command_with_json_output_is_rejected_without_the_yes_option(tmp_path: Path) -> None:
    made = vehicle_with(tmp_path)
    with pytest.raises(Refusal, match="--yes"):
        pair(made.config, OXIMETER.address, passkey=None, yes=False, without_bond=False, again=False, as_json=True)
