"""`argus-sim demo` says what it cannot do before it sets anything up: nobody looks into a log for a typing error."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from simulators.cli import app


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--scenario", "sunny", "there are stable, deteriorating, cardiac-arrest"),
        ("--replay", "absent", "absent.hea cannot be read"),
    ],
)
def test_a_mistyped_wish_is_told_and_leaves_nothing_behind(tmp_path: Path, option: str, value: str, said: str):
    state = tmp_path / "demo"
    outcome = CliRunner().invoke(app, ["demo", "--headless", "--state", str(state), option, value])
    assert outcome.exit_code == 1
    assert said in outcome.stderr
    assert not state.exists()
