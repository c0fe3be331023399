"""`argus-sim demo` reports an impossible option before it starts any process, so the user need not read a log."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud.settings import read_settings
from simulators.cli import app
from simulators.demo.broker import Broker
from simulators.demo.configuration import Choices, write_cloud_settings
from simulators.demo.plan import load_or_mint

BROKER = Broker("mosquitto", ())


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--scenario", "sunny", "there are stable, deteriorating, cardiac-arrest"),
        ("--replay", "absent", "absent.hea cannot be read"),
    ],
)
def test_invalid_demo_option_exits_with_one_and_creates_no_state_directory(
    tmp_path: Path, option: str, value: str, said: str
):
    state = tmp_path / "demo"
    outcome = CliRunner().invoke(app, ["demo", "--headless", "--state", str(state), option, value])
    assert outcome.exit_code == 1
    assert said in outcome.stderr
    assert not state.exists()


@pytest.mark.parametrize("pair", ["127.0.0.1", "http://127.0.0.1:9000", "::1:9000", "127.0.0.1:0", "a:99999"])
def test_demo_option_for_a_callback_without_host_and_port_is_rejected(tmp_path: Path, pair: str):
    state = tmp_path / "demo"
    outcome = CliRunner().invoke(app, ["demo", "--headless", "--state", str(state), "--allow-callback", pair])
    assert outcome.exit_code == 2
    assert "HOST:PORT" in outcome.stderr
    assert not state.exists()


def test_demo_cloud_settings_allow_only_the_callback_addresses_given_as_options(tmp_path: Path):
    plan = load_or_mint(tmp_path, seed=42, ports_given={})
    pairs = ("127.0.0.1:9000", "[::1]:9001", "hook.local:80")
    allowed = read_settings(write_cloud_settings(plan, Choices(allow_callback=pairs), BROKER)).egress.allow
    assert [(pair.host, pair.port) for pair in allowed] == [("127.0.0.1", 9000), ("::1", 9001), ("hook.local", 80)]
    assert read_settings(write_cloud_settings(plan, Choices(), BROKER)).egress.allow == ()
