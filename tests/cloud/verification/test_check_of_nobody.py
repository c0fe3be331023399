"""A custody check of an unregistered gateway is an error, so that it cannot be mistaken for an intact chain."""

from pathlib import Path

from typer.testing import CliRunner

from cloud.cli import app
from tests.builders.cloud_settings import settings_file


def test_custody_check_of_an_unknown_gateway_is_refused(tmp_path: Path):
    config = str(settings_file(tmp_path))
    assert CliRunner().invoke(app, ["--config", config, "init"]).exit_code == 0
    outcome = CliRunner().invoke(app, ["--config", config, "custody", "check", "--gateway", "gw_absent"])
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert outcome.stderr == "Gateway not found. (gw_absent)\n"
