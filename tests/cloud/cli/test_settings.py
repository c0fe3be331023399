"""An error for a mistake in the settings names its place and its remedy, and contains no secret."""

from pathlib import Path

import pytest

from cloud.foundation.settings import Address, SettingsUnusable, read_password
from cloud.settings import read_settings
from tests.builders.cloud_settings import settings_file

EXAMPLE = Path(__file__).parents[3] / "systemd" / "cloud.toml"


def test_example_settings_are_valid_and_give_all_hosts_one_listen_address() -> None:
    settings = read_settings(EXAMPLE)
    assert settings.hosts is not None
    assert settings.hosts.api.listen == settings.hosts.auth.listen == Address("127.0.0.1", 8080)
    assert settings.mqtt is not None
    assert settings.mqtt.password_file == Path("/etc/argus/cloud-mqtt-password")


def test_relative_paths_in_the_settings_are_resolved_from_the_folder_of_the_settings_file(tmp_path: Path) -> None:
    settings = read_settings(settings_file(tmp_path, more='objects_dir = "objects"'))
    assert settings.database_url == f"sqlite:///{tmp_path}/cloud.db"
    assert settings.objects_dir == tmp_path / "objects"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ("color = 1", "color: there is no such setting"),
        ("objects_dir = 3", "objects_dir: write a path in quotes"),
        ('[mqtt]\nurl = "localhost"', 'mqtt.url: write "mqtt://HOST:PORT"'),
        ('[broker]\ndirectory = "d"\n[mqtt]\nurl = "mqtt://h"\nusername = "u"', "leave [mqtt] username out"),
        ('[broker]\ndirectory = "d"\n[mqtt]\nurl = "mqtt://h"', "[mqtt] password_file is required"),
        ('[mqtt]\nurl = "mqtt://h"\nca_file = "p"', "mqtt: ca_file needs TLS"),
        ('[hosts.auth]\nlisten = "8080"\npublic_url = "http://a"', 'hosts.auth.listen: write "HOST:PORT"'),
        ('[hosts.auth]\nlisten = "h:1"\npublic_url = "http://a/b"', "hosts.auth.public_url: write the address"),
        ('[hosts.auth]\nlisten = "h:1"\npublic_url = "http://a"', "hosts.api: this setting is required"),
        ('[log]\nlevel = "loud"', "log.level"),
        ("= nonsense", "is not TOML"),
    ],
)
def test_error_for_an_invalid_setting_names_the_setting_and_a_valid_form(tmp_path: Path, more: str, told: str) -> None:
    with pytest.raises(SettingsUnusable) as caught:
        read_settings(settings_file(tmp_path, more=more))
    assert told in caught.value.sentence


def test_hosts_with_the_same_listen_address_and_the_same_public_name_are_refused(tmp_path: Path) -> None:
    hosts = "\n".join(
        f'[hosts.{name}]\nlisten = "127.0.0.1:8080"\npublic_url = "https://same.example.org"'
        for name in ("auth", "api", "sandbox", "docs")
    )
    with pytest.raises(SettingsUnusable, match="found by the Host header"):
        read_settings(settings_file(tmp_path, more=hosts))


def test_password_in_a_database_url_is_not_repeated_in_errors_or_repr(tmp_path: Path) -> None:
    path = settings_file(tmp_path, database_url="mysql://argus:synthetic-secret@h/n")
    with pytest.raises(SettingsUnusable) as caught:
        read_settings(path)
    assert "synthetic-secret" not in caught.value.sentence
    good = read_settings(settings_file(tmp_path, database_url="postgresql://argus:synthetic-secret@h/n"))
    assert "synthetic-secret" not in repr(good)


def test_absent_or_oversized_settings_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsUnusable, match="cannot be read"):
        read_settings(tmp_path / "none.toml")
    (tmp_path / "huge.toml").write_bytes(b"#" * 300_000)
    with pytest.raises(SettingsUnusable, match="too large"):
        read_settings(tmp_path / "huge.toml")


def test_password_is_read_from_the_first_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("correct horse\nsecond line\n")
    assert read_password(file) == "correct horse"
    for wrong in ("", "\n", "x" * 2000):
        file.write_text(wrong)
        with pytest.raises(SettingsUnusable, match="password"):
            read_password(file)
