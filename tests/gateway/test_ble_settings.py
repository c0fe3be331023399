"""The Bluetooth section of the settings file is read, applied, and checked."""

from pathlib import Path

import pytest

from gateway.settings import BLUEZ, Settings, SettingsError, load

MINIMAL = """[gateway]
id = "amb-1"
tenant = "tnt_1"
vehicle = "veh_1"
state_dir = "state"
"""


def settings(folder: Path, *, above: str = "", below: str = "") -> Settings:
    path = folder / "gateway.toml"
    path.write_text(above + MINIMAL + below)
    return load(path)


def test_bluetooth_is_disabled_in_the_default_settings(tmp_path: Path) -> None:
    assert settings(tmp_path).bluetooth is None


def test_empty_ble_settings_section_selects_the_bluez_backend(tmp_path: Path) -> None:
    asked = settings(tmp_path, below="[ble]\n")
    assert asked.bluetooth is not None
    stack, section = asked.bluetooth
    assert (stack, section.adapter, section.connections_max, section.require_bond) == (BLUEZ, None, 5, True)
    assert (section.fetch_records, section.delete_records) == (True, False)
    assert asked.bonds_dir == tmp_path / "state" / "bonds"


def test_ble_backend_can_be_set_with_and_without_a_ble_settings_section(tmp_path: Path) -> None:
    alone = settings(tmp_path, above='ble_backend = "radio:Radio"\n')
    assert alone.bluetooth is not None
    assert alone.bluetooth[0] == "radio:Radio"
    both = settings(
        tmp_path, above='ble_backend = "radio:Radio"\n', below='[ble]\nadapter = "/run/radio"\nbonds_dir = "keys"\n'
    )
    assert both.bluetooth is not None
    assert (both.bluetooth[0], both.bluetooth[1].adapter) == ("radio:Radio", "/run/radio")
    assert both.bonds_dir == tmp_path / "keys"


@pytest.mark.parametrize("line", ["connections_max = 0", "connections_max = 33", 'adapter = ""', "bond = true"])
def test_invalid_ble_setting_is_reported_with_its_line(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=r"line 7, ble\."):
        settings(tmp_path, below=f"[ble]\n{line}\n")
