"""`argus-cloud broker config` writes the complete configuration of the broker."""

import re
import shutil
from pathlib import Path

import pytest

from cloud.vehicles.fleet.broker_configuration import (
    PLUGIN,
    BrokerLayout,
    find_plugin,
    mosquitto_settings,
    system_files,
)
from cloud.vehicles.ingest import IngestSettings
from tests.builders.cloud_settings import settings_file
from tests.cloud.cli.test_console import Console

ROOT = Path(__file__).parents[3]
DROP_IN = Path("/etc/systemd/system/mosquitto.service.d/argus.conf")


@pytest.mark.finding("security-3")
@pytest.mark.finding("security-7")
@pytest.mark.finding("fleet-2")
def test_operator_guide_refers_to_the_broker_config_command_and_contains_no_mosquitto_settings() -> None:
    """The copy in the guide was insecure: a guessable group, `+` for the tenant, any client id."""
    guide = (ROOT / "docs" / "operator.md").read_text()
    assert re.findall(r"^\s*(?:listener|acl_file|pattern|topic (?:read|write)\w*) .*$", guide, re.MULTILINE) == []
    assert "argus-cloud broker config" in guide


@pytest.fixture
def console(tmp_path: Path, migrated_sqlite: Path) -> Console:
    shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    return Console(settings_file(tmp_path, more=f'[broker]\ndirectory = "{tmp_path / "live"}"\n'))


@pytest.mark.finding("fleet-3")
def test_broker_config_command_writes_files_to_their_system_paths_below_the_given_folder(
    console: Console, tmp_path: Path
) -> None:
    console.json("init")
    console.json("broker", "authority", "create")
    written = console.json("broker", "config", str(tmp_path / "out"), "--name", "broker.example.org")["files"]
    assert [str(Path(path).relative_to(tmp_path / "out")) for path in written] == [
        "etc/argus/ca.pem",
        "etc/mosquitto/argus-broker.key",
        "etc/mosquitto/argus-broker.pem",
        "etc/mosquitto/conf.d/argus.conf",
        "etc/systemd/system/argus-broker-reload.path",
        "etc/systemd/system/argus-broker-reload.service",
        "etc/systemd/system/mosquitto.service.d/argus.conf",
        "etc/tmpfiles.d/argus-broker.conf",
    ]
    assert (tmp_path / "out" / "etc/mosquitto/argus-broker.key").stat().st_mode & 0o077 == 0
    drop_in = (tmp_path / "out" / "etc/systemd/system/mosquitto.service.d/argus.conf").read_text()
    assert "LimitNOFILE=65536" in drop_in


def test_broker_config_command_narrows_the_rights_of_an_existing_key_file(console: Console, tmp_path: Path) -> None:
    key = tmp_path / "out/etc/mosquitto/argus-broker.key"
    key.parent.mkdir(parents=True)
    key.touch(0o644)
    console.json("init")
    console.json("broker", "authority", "create")
    console.json("broker", "config", str(tmp_path / "out"), "--name", "broker.example.org")
    assert key.stat().st_mode & 0o777 == 0o600


@pytest.mark.finding("security-3")
def test_systemd_restarts_the_broker_any_number_of_times() -> None:
    """By default systemd stops restarting a unit after five ends in ten seconds."""
    unit, _, service = system_files(BrokerLayout(live=Path("/var/lib/argus-broker"), plugin=Path("/p.so")))[
        DROP_IN
    ].partition("[Service]")
    assert "[Unit]" in unit
    assert "\nStartLimitIntervalSec=0\n" in unit
    assert "\nRestart=on-failure\n" in service


def test_mosquitto_has_several_hundred_messages_in_flight_to_the_ingest() -> None:
    settings = mosquitto_settings(BrokerLayout(live=Path("/var/lib/argus-broker"), plugin=Path("/p.so"))).splitlines()
    assert f"max_inflight_messages {IngestSettings().receive_max}" in settings
    assert IngestSettings().receive_max >= IngestSettings().group_batches_max >= 300
    assert f"max_inflight_bytes {32 << 20}" in settings


@pytest.mark.finding("security-3")
@pytest.mark.parametrize("architecture", ["x86_64", "aarch64"])
def test_mosquitto_plugin_path_defaults_to_the_path_in_the_debian_package(
    architecture: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: architecture)
    expected = tmp_path / f"{architecture}-linux-gnu" / PLUGIN
    assert find_plugin(tmp_path) == expected
    elsewhere = tmp_path / PLUGIN
    elsewhere.touch()
    assert find_plugin(tmp_path) == elsewhere


@pytest.mark.finding("security-3")
def test_error_for_a_missing_mosquitto_plugin_names_the_option_for_its_path(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cloud.vehicles.fleet.broker_cli.find_plugin", lambda: Path("/nowhere/plugin.so"))
    monkeypatch.setattr("shutil.which", lambda *_, **__: "/usr/sbin/mosquitto")
    assert "--plugin" in console.refused("broker", "config", "out", "--loopback")


def test_broker_config_command_without_a_certificate_authority_names_the_command_to_create_one(
    console: Console, tmp_path: Path
) -> None:
    console.json("init")
    assert "broker authority create" in console.refused("broker", "config", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_creation_of_a_second_certificate_authority_requires_an_explicit_option(console: Console) -> None:
    console.json("init")
    console.json("broker", "authority", "create", "--name", "First")
    assert "--another" in console.refused("broker", "authority", "create")
    console.json("broker", "authority", "create", "--name", "Second", "--another")
    assert [one["name"] for one in console.json("broker", "authority", "list")] == ["CN=First", "CN=Second"]


def test_error_for_settings_without_a_broker_section_names_the_missing_setting(tmp_path: Path) -> None:
    plain = Console(settings_file(tmp_path))
    assert "[broker] directory" in plain.refused("broker", "config", str(tmp_path / "out"))
