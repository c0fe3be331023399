"""Bluetooth in the demo: its devices are on air, and the paths of the radio's sockets are short enough."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir

import pytest

from gateway.settings import load
from simulators.demo.configuration import (
    Choices,
    make_radio_folder,
    radio_control,
    radio_socket,
    write_gateway_settings,
)
from simulators.demo.fleet import BLE_DEVICES, DEMO_DEVICES
from simulators.demo.pairing import pair_devices
from simulators.demo.plan import PlanUnusable, load_or_mint
from simulators.demo.readiness import DemoNotReady

SOCKET_NAME_OCTETS_MAX = 107


def test_all_devices_of_the_demo_have_different_identities():
    assert [device.name for device in BLE_DEVICES] == ["oximeter", "blood pressure", "thermometer"]
    assert len({device.system_id for device in DEMO_DEVICES}) == len(DEMO_DEVICES)
    assert len({device.description.serial_number for device in DEMO_DEVICES}) == len(DEMO_DEVICES)


def test_demo_gateway_settings_select_the_virtual_radio(tmp_path: Path):
    plan = load_or_mint(tmp_path, seed=1, ports_given={})
    settings = load(write_gateway_settings(plan, Choices()))
    assert settings.bluetooth is not None
    stack, section = settings.bluetooth
    assert stack == "simulators.ble.backend:VirtualRadio"
    assert section.adapter == str(radio_socket(plan))


@pytest.mark.parametrize("depth", [1, 40])
def test_radio_socket_paths_fit_the_unix_socket_limit_for_a_deep_state_directory(depth: int):
    with TemporaryDirectory(dir="/tmp") as top:  # a short path, wherever the tests have their files
        state = Path(top).joinpath(*["deep"] * depth)
        state.mkdir(parents=True)
        plan = load_or_mint(state, seed=1, ports_given={})
        make_radio_folder(plan)
        folder = radio_socket(plan).parent
        try:
            assert all(len(os.fsencode(each(plan))) < SOCKET_NAME_OCTETS_MAX for each in (radio_socket, radio_control))
            assert folder.stat().st_mode & 0o077 == 0
            assert folder.is_relative_to(state if depth == 1 else Path(gettempdir()))
        finally:
            folder.rmdir()


def test_radio_socket_folder_of_another_user_is_rejected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = load_or_mint(tmp_path, seed=1, ports_given={})
    make_radio_folder(plan)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(PlanUnusable, match="belongs to another user"):
        make_radio_folder(plan)


async def test_error_for_a_pairing_timeout_in_the_demo_names_the_device(tmp_path: Path):
    said: list[str] = []
    with pytest.raises(DemoNotReady, match="the pairing of the oximeter did not come within"):
        await pair_devices(tmp_path / "nobody.sock", BLE_DEVICES, said.append, 0.2)
    assert said == ["pairing the oximeter"]
