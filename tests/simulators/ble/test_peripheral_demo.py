"""The demo's Bluetooth: its devices on air, and a radio whose sockets have names that fit."""

import os
import tempfile
from pathlib import Path

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


def test_oximeter_cuff_and_thermometer_are_on_air_and_no_two_devices_share_an_identity():
    assert [device.name for device in BLE_DEVICES] == ["oximeter", "blood pressure", "thermometer"]
    assert len({device.system_id for device in DEMO_DEVICES}) == len(DEMO_DEVICES)
    assert len({device.enrolment.serial_number for device in DEMO_DEVICES}) == len(DEMO_DEVICES)


def test_the_gateway_of_a_demo_is_told_of_the_radio(tmp_path: Path):
    plan = load_or_mint(tmp_path, seed=1, ports_given={})
    settings = load(write_gateway_settings(plan, Choices()))
    assert settings.bluetooth is not None
    stack, section = settings.bluetooth
    assert stack == "simulators.ble.backend:VirtualRadio"
    assert section.adapter == str(radio_socket(plan))


@pytest.mark.parametrize("depth", [1, 40])
def test_a_radio_of_a_state_however_deep_has_sockets_that_can_be_opened(tmp_path: Path, depth: int):
    state = tmp_path.joinpath(*["deep"] * depth)
    state.mkdir(parents=True)
    plan = load_or_mint(state, seed=1, ports_given={})
    make_radio_folder(plan)
    folder = radio_socket(plan).parent
    try:
        assert all(len(os.fsencode(each(plan))) < SOCKET_NAME_OCTETS_MAX for each in (radio_socket, radio_control))
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.is_relative_to(state if depth == 1 else Path(tempfile.gettempdir()))
    finally:
        folder.rmdir()


def test_a_folder_of_the_radio_that_somebody_else_made_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    plan = load_or_mint(tmp_path, seed=1, ports_given={})
    make_radio_folder(plan)
    monkeypatch.setattr(os, "getuid", lambda: 4711)
    with pytest.raises(PlanUnusable, match="belongs to somebody else"):
        make_radio_folder(plan)


async def test_devices_that_cannot_be_paired_are_told_by_name(tmp_path: Path):
    said: list[str] = []
    with pytest.raises(DemoNotReady, match="the pairing of the oximeter did not come within"):
        await pair_devices(tmp_path / "nobody.sock", BLE_DEVICES, said.append, 0.2)
    assert said == ["pairing the oximeter"]
