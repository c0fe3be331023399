"""`argus-sim env` prints the values of a running demo for a shell, quoted, or an error with its remedy."""

import json
import subprocess
from pathlib import Path

from typer.testing import CliRunner

from simulators.cli import app
from simulators.demo.environment import VARIABLES


def test_env_command_prints_quoted_variables_that_a_shell_can_evaluate(tmp_path: Path) -> None:
    facts = {field: f"value of {field}; $(false) 'x'" for field in VARIABLES.values()}
    (tmp_path / "demo.json").write_text(json.dumps(facts))
    printed = CliRunner().invoke(app, ["env", str(tmp_path)])
    assert printed.exit_code == 0
    read = subprocess.run(
        ["bash", "-euc", f'{printed.stdout}\nprintf "%s|%s" "$STATE" "$TENANT"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert read.stdout == f"{tmp_path}|{facts['tenant_id']}"


def test_env_command_without_a_running_demo_names_the_command_that_starts_a_demo(tmp_path: Path) -> None:
    refused = CliRunner().invoke(app, ["env", str(tmp_path)])
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert f"argus-sim demo --state {tmp_path}" in refused.stderr
