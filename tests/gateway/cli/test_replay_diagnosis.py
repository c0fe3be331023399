"""Replaying a capture without observations reports the reason: the association was rejected or aborted, or the capture
began too late.
"""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from tests.harness.captures import capture_path

CAPTURE = "known_oximeter_0190"


def capture_with(tmp_path: Path, before: str, after: str) -> Path:
    """Write a copy of a capture in which the first occurrence of `before` is replaced by `after`; return its path."""
    text = capture_path(CAPTURE).read_text()
    assert before in text
    path = tmp_path / "changed.jsonl"
    path.write_text(text.replace(before, after, 1))
    return path


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        ("5079", "5078", "rejected-no-common-protocol"),
        ("e2000032800000", "e2000032000000", "rejected-unsupported-assoc-version"),
    ],
)
def test_replay_command_names_the_result_of_a_rejected_association(
    tmp_path: Path, before: str, after: str, reason: str
):
    outcome = CliRunner().invoke(app, ["replay", str(capture_with(tmp_path, before, after)), "--json"])
    assert (outcome.exit_code, outcome.stdout) == (1, "")
    assert f"connection 1: the manager rejected the association request ({reason}" in outcome.stderr
    assert "switch a device off and on" not in outcome.stderr
