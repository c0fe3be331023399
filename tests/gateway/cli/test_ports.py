"""`argus-gateway ports` lists each serial port: its names, its use by the settings, and the device associated on it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from gateway.cli.ports import adapter_text
from gateway.transports.port_list import Adapter, FoundPort, found_ports
from gateway.transports.serial_port import SerialPort
from tests.builders.gateway_device import device_id, device_on
from tests.harness.eventually import eventually
from tests.harness.gateway_process import Vehicle, invoke, vehicle
from tests.harness.pty_pair import PtyPair, pty_pair


@asynccontextmanager
async def vehicle_with_ports(folder: Path, *paths: str, started: bool = True) -> AsyncIterator[Vehicle]:
    async with vehicle(folder, started=False) as made:
        with made.config.open("a") as file:
            file.writelines(f'[[serial]]\npath = "{path}"\nframing = "hdlc"\n' for path in paths)
        if started:
            await made.start()
        yield made


async def use_of(made: Vehicle, path: str) -> dict[str, Any]:
    """Return the entry of `argus-gateway ports --json` for the port that the settings name by `path`."""
    finished = await made.invoke("ports", "--json")
    assert finished.code == 0, finished.err
    (use,) = [use for port in finished.json()["ports"] for use in port["used_as"] if use["path"] == path]
    return dict(use)


async def talking(pair: PtyPair, made: Vehicle, path: str) -> None:
    device = await SerialPort(pair.right, 115_200, "hdlc").accept()
    async with device_on(device, 7) as thermometer:
        assert await thermometer.measure(36.6) == "answered"
        use = await use_of(made, path)
        assert use["state"]["device"] == device_id(7).hex()
        assert use["state"]["node"] == pair.left_node
        assert use["state"]["received_bytes"] > 0
        assert f"({device_id(7).hex()}) is associated, the last byte came" in use["says"]
        await thermometer.leave()


async def test_ports_command_shows_the_device_on_each_port_or_the_reason_why_no_device_is_associated(tmp_path: Path):
    name, gone = str(tmp_path / "monitor"), str(tmp_path / "defibrillator")
    async with pty_pair() as pair:
        os.symlink(pair.left, name)
        os.symlink(tmp_path / "ttyUSB7", gone)
        async with vehicle_with_ports(tmp_path, name, gone) as made:
            await talking(pair, made, name)
            assert "no device is associated" in (await use_of(made, name))["says"]

            async def told() -> bool:
                return "plug it in" in (await use_of(made, gone))["says"]

            await eventually(told)
            for_people = await made.invoke("ports")
            assert for_people.code == 0
            text = " ".join(for_people.out.split())
            assert pair.left_node in text
            assert "115200 baud, framing hdlc" in text
            assert f"(process {made.pid})" in text
            assert for_people.err == ""


async def test_ports_command_shows_the_use_of_ports_as_unknown_when_no_gateway_runs(tmp_path: Path):
    name, gone = str(tmp_path / "monitor"), str(tmp_path / "none")
    async with pty_pair() as pair:
        os.symlink(pair.left, name)
        async with vehicle_with_ports(tmp_path, name, gone, started=False) as made:
            finished = await made.invoke("ports", "--json")
            assert finished.code == 0
            assert "no gateway runs" in finished.err
            listed = finished.json()
            assert listed["running"] is False
            says = {use["path"]: use["says"] for port in listed["ports"] for use in port["used_as"]}
            assert says == {
                name: "unknown: no gateway runs",
                gone: "it is not there: plug the device in, or correct the path",
            }


async def test_ports_command_without_a_settings_file_lists_ports_and_exits_with_one(tmp_path: Path):
    finished = await invoke("--config", tmp_path / "none.toml", "ports", "--json")
    assert finished.code == 1
    assert "does not exist" in finished.err
    assert "which of these ports the gateway uses" in finished.err
    assert isinstance(finished.json()["ports"], list)


async def test_description_of_a_serial_port_lists_every_udev_symlink_to_its_device_node(tmp_path: Path):
    async with pty_pair() as pair:
        for folder in ("serial/by-id", "serial/by-path", "argus"):
            (tmp_path / folder).mkdir(parents=True)
            (tmp_path / folder / "one").symlink_to(pair.left)
            (tmp_path / folder / "gone").symlink_to(tmp_path / "ttyUSB9")
        (found,) = [port for port in found_ports(tmp_path, besides=[pair.left_node]) if port.node == pair.left_node]
        names = tuple(str(tmp_path / folder / "one") for folder in ("argus", "serial/by-id", "serial/by-path"))
        assert found == FoundPort(node=pair.left_node, names=names, adapter=None)


def test_serial_adapter_is_described_by_its_usb_vendor_product_and_serial_number():
    ftdi = Adapter(
        vendor_id="0403",
        product_id="6001",
        vendor="FTDI",
        product="FT232R USB UART",
        serial_number="A10K3XYZ",
        location="1-1.4",
    )
    assert adapter_text(ftdi) == "FTDI FT232R USB UART (0403:6001), serial number A10K3XYZ, plugged in at 1-1.4"
    cheap = Adapter(vendor_id="1a86", product_id="7523", vendor=None, product=None, serial_number=None, location=None)
    assert adapter_text(cheap) == "USB (1a86:7523), without a serial number"
