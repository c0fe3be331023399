"""A capture that began after the association cannot be decoded; the replay command advises a restart of the device."""

from pathlib import Path

from typer.testing import CliRunner

from gateway.cli import app
from tests.harness.captures import capture_path


def test_replay_command_advises_a_device_restart_when_the_capture_has_no_association(tmp_path: Path):
    lines = capture_path("known_oximeter_0190").read_text().splitlines(keepends=True)
    late = tmp_path / "late.jsonl"
    # The head of the file, and the conversation after the association and the requests for the device's attributes.
    late.write_text("".join([lines[0], *lines[5:]]))
    outcome = CliRunner().invoke(app, ["replay", str(late), "--json"])
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert "switch a device off and on" in outcome.stderr


def test_replay_command_does_not_advise_a_device_restart_for_a_complete_capture():
    outcome = CliRunner().invoke(app, ["replay", str(capture_path("known_oximeter_0190")), "--json"])
    assert outcome.exit_code == 0
    assert outcome.stdout
    assert "switch a device off and on" not in outcome.stderr
