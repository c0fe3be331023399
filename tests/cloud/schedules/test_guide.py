"""The commands of the operator's guide about scheduled jobs work as written."""

import json
import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud.cli import app
from tests.builders.cloud_settings import settings_file
from tests.cloud.cli.conftest import logging_as_before

__all__ = ["logging_as_before"]
GUIDE = Path(__file__).parents[3] / "docs" / "operator.md"
TENANT = ("--tenant", "tnt_valley")


class Shell:
    """A console of a new cloud with the tenant and the app of the guide."""

    def __init__(self, folder: Path) -> None:
        self._config = str(settings_file(folder))
        self.run("init")
        self.run("tenants", "add", "--name", "Valley", "--id", "tnt_valley")
        scopes = ("--scope", "argus:epcr:read", "--scope", "argus:jobs:write")
        self.run("apps", "add", *TENANT, "--name", "Research", "--id", "app_research", *scopes)

    def run(self, *words: str, code: int = 0) -> str:
        """Run `argus-cloud`; return its standard output, or its standard error if it fails with `code`."""
        outcome = CliRunner().invoke(app, ["--config", self._config, *words])
        assert outcome.exit_code == code, outcome.stderr
        return outcome.stdout if code == 0 else outcome.stderr


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


def commands_of_the_guide() -> list[list[str]]:
    section = GUIDE.read_text().partition("### Scheduled jobs\n")[2]
    block = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)[0]
    return [shlex.split(line)[1:] for line in block.splitlines()]


def test_commands_of_the_guide_add_show_pause_resume_and_remove_a_schedule(shell: Shell):
    commands = commands_of_the_guide()
    add = next(words for words in commands if words[:3] == ["jobs", "schedule", "add"])
    assert "has not permitted schedules" in shell.run(*add, code=1)
    schedule_id, said = "", {}
    for words in commands:
        out = shell.run(*[schedule_id if word == "sch_…" else word for word in words])
        said[words[2]] = out
        if words == add:
            schedule_id = re.findall(r"sch_\w+", out)[0]
    assert "Its next time is" in said["add"]
    assert schedule_id in said["list"]
    assert "Europe/Warsaw" in said["show"]
    assert "Runs: none" in said["show"]
    assert said["pause"] == f"Schedule {schedule_id} is paused.\n"
    assert said["resume"].startswith(f"Schedule {schedule_id} is active.")
    assert json.loads(shell.run("jobs", "schedule", "list", *TENANT, "--json")) == []
    assert "There is no schedule" in shell.run("jobs", "schedule", "show", schedule_id, *TENANT, code=1)
    document = json.loads(shell.run(*add, "--since", "2026-03-01T00:00:00Z", "--json"))
    shown = json.loads(shell.run("jobs", "schedule", "show", document["id"], *TENANT, "--json"))
    assert shown == {**document, "runs": []}
    assert shown["delay_hours"] == 24
    assert shown["payload"] == {"data": "encounters", "format": "ndjson"}
    assert "Jobs of tenants" in shell.run("jobs", "--help")


MISTYPED = (
    ("--payload", "{", "not JSON"),
    ("--payload", "[]", "not a JSON object"),
    ("--cron", "*/5 * * * *", "15 minutes apart"),
    ("--time-zone", "Europe/Warsav", "Did you mean Europe/Warsaw?"),
    ("--since", "yesterday", "A time reads like"),
    ("--app", "app_reserch", "Did you mean app_research?"),
)


def test_mistyped_option_is_refused_with_its_reason(shell: Shell):
    entitle, approve, add = commands_of_the_guide()[:3]
    shell.run(*entitle)
    shell.run(*approve)
    for option, value, says in MISTYPED:
        words = [word for pair in zip(add[3::2], add[4::2], strict=True) if pair[0] != option for word in pair]
        assert says in shell.run(*add[:3], *words, option, value, code=2 if option == "--payload" else 1)
