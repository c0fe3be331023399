"""An operator maintains the crew register of an organisation at the console: ids and roles, no names."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.cli import app
from tests.builders.cloud_settings import settings_file

ORGANIZATION = ("--tenant", "tnt_1", "--organization", "org_1")


class Console:
    """The command line `argus-cloud --config FILE … --json`, run in the test process."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *words: str) -> Any:
        outcome = CliRunner().invoke(app, ["--config", str(self._config), *words, "--json"])
        return json.loads(outcome.stdout) if outcome.exit_code == 0 else outcome.stderr


@pytest.fixture
def console(tmp_path: Path, migrated_sqlite: Path) -> Console:
    shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    made = Console(settings_file(tmp_path))
    made.run("init")
    made.run("tenants", "add", "--name", "North", "--id", "tnt_1")
    made.run("organizations", "add", "--tenant", "tnt_1", "--name", "Station", "--id", "org_1")
    return made


@pytest.mark.contract("A-102", "A-098")
def test_crew_member_is_stored_with_an_id_and_a_role_and_without_a_name(console: Console) -> None:
    added = console.run("crew", "add", *ORGANIZATION, "--id", "usr_1", "--role", "paramedic")
    assert set(added) == {"id", "organization_id", "role", "created_at"}
    console.run("crew", "add", *ORGANIZATION)
    first, second = sorted(console.run("crew", "list", "--tenant", "tnt_1"), key=lambda one: one["role"] == "other")
    assert (first["id"], first["role"]) == ("usr_1", "paramedic")
    assert second["id"].startswith("usr_")


def test_crew_member_with_a_used_id_or_an_unknown_organisation_is_refused(console: Console) -> None:
    console.run("crew", "add", *ORGANIZATION, "--id", "usr_1")
    assert "already in use" in console.run("crew", "add", *ORGANIZATION, "--id", "usr_1")
    assert "no organisation 'org_9'" in console.run("crew", "add", "--tenant", "tnt_1", "--organization", "org_9")


def test_devices_enrol_command_reactivates_a_retired_device(console: Console) -> None:
    what = ("--serial-number", "SN-1", "--class", "bp", "--manufacturer", "Synthetic Medical")
    device = console.run("devices", "enrol", *ORGANIZATION, *what)
    retire = ("devices", "retire", "--tenant", "tnt_1", "--device")
    assert [console.run(*retire, device["id"])["status"] for _ in range(2)] == ["retired", "retired"]
    assert console.run("devices", "enrol", *ORGANIZATION, *what)["status"] == "active"
    assert "no device 'dev_absent'" in console.run(*retire, "dev_absent")
