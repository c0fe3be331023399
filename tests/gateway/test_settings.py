"""The settings file: its defaults, its paths, and errors that name line, field and remedy."""

import re
from pathlib import Path
from typing import get_args

import pytest

from gateway.composition import clock_policy, manager_settings
from gateway.settings import Address, ClocksSection, DevicesSection, Settings, SettingsError, load

MINIMAL = """[gateway]
id = "amb-1"
tenant = "ten_1"
vehicle = "veh_1"
state_dir = "state"
"""


def settings_file(folder: Path, text: str) -> Path:
    path = folder / "gateway.toml"
    path.write_text(text)
    return path


def test_minimal_settings_configure_no_broker_and_no_serial_port(tmp_path):
    settings = load(settings_file(tmp_path, MINIMAL))
    assert settings.mqtt is None
    assert settings.serial == ()
    assert settings.buffer.retention_h == 72


def test_relative_paths_are_resolved_from_the_folder_of_the_settings_file(tmp_path):
    settings = load(settings_file(tmp_path, MINIMAL))
    assert settings.gateway.state_dir == tmp_path / "state"
    assert settings.store_path == tmp_path / "state" / "buffer.sqlite"


def test_example_settings_file_of_systemd_is_valid_and_names_every_setting():
    example = Path(__file__).parents[2] / "systemd" / "gateway.toml"
    text = example.read_text()
    load(example)
    for section, model in Settings.model_fields.items():
        models = [each for each in (model.annotation, *get_args(model.annotation)) if hasattr(each, "model_fields")]
        for field in [section, *(field for each in models for field in each.model_fields)]:
            assert re.search(rf"\b{field}\b", text), f"systemd/gateway.toml does not show {section} {field}"


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (MINIMAL + '[tcp]\nlisten = "6024"\n', 7, r'tcp.listen: write "HOST:PORT"'),
        (MINIMAL + '[tcp]\nlisten = "127.0.0.1:70000"\n', 7, r'write "HOST:PORT"'),
        (MINIMAL + '[tcp]\nport = 6024\nlisten = "127.0.0.1:1"\n', 7, "tcp.port: no such setting"),
        (MINIMAL + '[mqtt]\nurl = "http://broker"\n', 7, "mqtts://HOST:PORT"),
        (MINIMAL + '[mqtt]\nurl = "mqtt://broker"\nca_file = "ca.pem"\n', 6, "need TLS"),
        (MINIMAL + '[buffer]\nretention_h = "72"\n', 7, "should be a valid integer"),
        (
            MINIMAL + '[[serial]]\npath = "/dev/a"\n[[serial]]\npath = "/dev/b"\nframing = "slip"\n',
            10,
            "'raw' or 'hdlc'",
        ),
        (MINIMAL.replace('id = "amb-1"', 'id = "amb 1"'), 2, "letters, digits"),
        ('ble_backend = "bleak"\n' + MINIMAL, 1, "module:Class"),
        ("[gateway]\nid = \n", 2, "not TOML"),
    ],
)
def test_error_for_an_invalid_setting_names_the_file_and_line_and_field_and_remedy(tmp_path, text, line, says):
    path = settings_file(tmp_path, text)
    with pytest.raises(SettingsError) as raised:
        load(path)
    assert str(path) in str(raised.value)
    assert f"line {line}" in str(raised.value)
    assert re.search(says, str(raised.value))


def test_error_for_a_missing_field_names_its_line_and_field(tmp_path):
    with pytest.raises(SettingsError, match=r"line 1, gateway\.vehicle: is missing"):
        load(settings_file(tmp_path, MINIMAL.replace('vehicle = "veh_1"\n', "")))


def test_error_for_a_missing_settings_file_names_the_config_option(tmp_path):
    with pytest.raises(SettingsError, match="--config"):
        load(tmp_path / "nowhere.toml")


def test_error_for_an_invalid_setting_never_contains_its_value(tmp_path):
    with pytest.raises(SettingsError) as raised:
        load(settings_file(tmp_path, MINIMAL + '[mqtt]\nurl = "mqtt://user:hunter2@broker:1883"\n'))
    assert "hunter2" not in str(raised.value)


def test_ipv6_listen_address_is_parsed_and_printed_with_brackets(tmp_path):
    settings = load(settings_file(tmp_path, MINIMAL + '[tcp]\nlisten = "[::1]:6024"\n'))
    assert settings.tcp is not None
    assert settings.tcp.listen == Address("::1", 6024)
    assert str(settings.tcp.listen) == "[::1]:6024"


def test_unknown_time_zone_is_rejected_with_an_example(tmp_path):
    assert load(settings_file(tmp_path, MINIMAL + '[clocks]\nzone = "Europe/Zurich"\n')).clocks.zone == "Europe/Zurich"
    for zone in ('"Europe/Atlantis"', '"../etc/passwd"', '""', "60"):
        with pytest.raises(SettingsError, match=r'line 7, clocks\.zone: write the name of a time zone .* "UTC"'):
            load(settings_file(tmp_path, MINIMAL + f"[clocks]\nzone = {zone}\n"))


def test_host_name_is_lower_case_ascii_or_is_rejected_with_an_example(tmp_path):
    crew = MINIMAL + '[crew]\nlisten = "0.0.0.0:8080"\nhost_names = '
    loaded = load(settings_file(tmp_path, crew + '["Tablet.Ambulance.Example.", "xn--rettung-b1a.example"]\n'))
    assert loaded.crew is not None
    assert loaded.crew.host_names == ("tablet.ambulance.example", "xn--rettung-b1a.example")
    for name in ("rettung-münchen.example", "under_score", "two..dots", "-a", "", f"{'a' * 64}.example"):
        with pytest.raises(SettingsError, match=r"line 8, crew\.host_names\.1: write a host name .*xn--") as error:
            load(settings_file(tmp_path, f'{crew}["{name}"]\n'))
        assert not name or name not in str(error.value)


def test_clock_section_of_the_settings_is_applied_to_the_clock_policy_and_the_manager():
    clocks = ClocksSection(set_devices=False, offset_s_max=9.0, pause_min=2, read_every_s=30, zone="Europe/Zurich")
    policy = clock_policy(clocks)
    assert (policy.set_clocks, policy.offset_s_max, policy.pause_s_min) == (False, 9.0, 120.0)
    assert policy.zone_min(1_767_225_600_000_000) == 60
    assert manager_settings(DevicesSection(), clocks).clock_read_every_s == 30.0
