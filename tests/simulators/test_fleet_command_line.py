"""`argus-sim fleet` refuses wrong options with one sentence, before it makes anything."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import app

TLS = ("--broker", "mqtts://broker.example.org")
PLAIN = ("--broker", "mqtt://127.0.0.1:1883")


def refused(folder: Path, *options: str, vehicles: str = "2") -> str:
    """Return the sentence with which the options are refused."""
    state = folder / "state"
    arguments = ["fleet", "--vehicles", vehicles, "--state", str(state), *options]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1, result.output
    assert result.stdout == ""
    (sentence,) = result.stderr.splitlines()
    assert not (state / "vehicles").exists()
    return sentence


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ((), "the broker is missing: give --broker URL with --cloud-config FILE, or --demo DIR"),
        (("--broker", "http://h"), "--broker: a broker's address is mqtt://HOST:PORT or mqtts://HOST:PORT"),
        ((*PLAIN, "--cloud-config", "c"), "give --passwords, the password file of mosquitto, and --broker-pid"),
        ((*TLS, "--broker-pid", "77"), "leave them out with mqtts://"),
        ((*TLS, "--rows"), "--rows compares with the cloud: give --cloud-config or --demo"),
        ((*TLS, "--demo", "d"), "--demo names the cloud and its broker: leave the other options about them out"),
        (("--demo", "absent"), "does not exist: start the demo with"),
        (TLS, "was not registered: give --cloud-config, or --demo, once"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: tuple[str, ...], why: str) -> None:
    assert why in refused(tmp_path, *options)


def test_demo_with_another_broker_is_refused(tmp_path: Path) -> None:
    (tmp_path / "demo.json").write_text(json.dumps({"broker": "iotcore"}))
    assert "the demo's broker is iotcore, whose users are fixed" in refused(tmp_path, "--demo", str(tmp_path))


def test_settings_that_the_cloud_refuses_are_reported_in_its_words(tmp_path: Path) -> None:
    missing = tmp_path / "cloud.toml"
    result = CliRunner().invoke(
        app, ["fleet", "--vehicles", "1", "--state", str(tmp_path / "state"), *TLS, "--cloud-config", str(missing)]
    )
    assert result.exit_code == 1
    assert f"{missing}" in result.stderr


@pytest.mark.parametrize("vehicles", ["0", "10001", "many"])
def test_number_of_vehicles_is_bounded(tmp_path: Path, vehicles: str) -> None:
    arguments = ["fleet", "--vehicles", vehicles, "--state", str(tmp_path / "state"), *TLS]
    assert CliRunner().invoke(app, arguments).exit_code == 2
