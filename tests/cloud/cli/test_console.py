"""The console sets up a new cloud, prints JSON for scripts, and reports each refusal in one sentence."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cloud.cli import COMMANDS, app
from tests.builders.cloud_people import public_key_text
from tests.builders.cloud_settings import settings_file


class Console:
    """The command line `argus-cloud --config FILE …`, run in the test process."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *words: str) -> tuple[int, str, str]:
        """Run a command; return its exit code, standard output and standard error."""
        outcome = CliRunner().invoke(app, ["--config", str(self._config), *words])
        return outcome.exit_code, outcome.stdout, outcome.stderr

    def json(self, *words: str) -> Any:
        code, out, err = self.run(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    def refused(self, *words: str) -> str:
        """Run a command that must fail; return the one sentence that it prints to standard error."""
        code, out, err = self.run(*words)
        assert (code, out) == (1, "")
        assert err.count("\n") == 1
        return err


@pytest.fixture
def console(tmp_path: Path, migrated_sqlite: Path) -> Console:
    shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    made = Console(settings_file(tmp_path))
    made.json("init")
    return made


def add_vehicle(console: Console) -> None:
    console.json("tenants", "add", "--name", "North", "--id", "tnt_1")
    console.json("organizations", "add", "--tenant", "tnt_1", "--name", "Station", "--id", "org_1")
    console.json("vehicles", "add", "--tenant", "tnt_1", "--organization", "org_1", "--name", "RTW 1", "--id", "veh_1")


def test_commands_add_a_vehicle_and_gateway_and_device_and_encounter_and_assignment_to_a_new_cloud(
    console: Console,
) -> None:
    add_vehicle(console)
    tenant = ("--tenant", "tnt_1")
    key = public_key_text()
    where = (*tenant, "--organization", "org_1", "--vehicle", "veh_1")
    gateway = console.json("gateways", "add", *where, "--public-key", key, "--id", "gw_1")
    assert (gateway["id"], gateway["public_key"], gateway["online"]) == ("gw_1", key, None)
    what = ("--serial-number", "SN-1", "--class", "oximeter", "--manufacturer", "Synthetic Medical")
    device = console.json("devices", "enrol", *where, *what, "--system-id", "1122334455667788")
    assert (device["status"], device["created"]) == ("active", True)
    assert console.json("devices", "enrol", *where, *what)["created"] is False
    encounter = console.json("encounters", "add", *where)
    begun = ("--device", device["id"], "--encounter", encounter["id"])
    assignment = console.json("assignments", "add", *tenant, *begun, "--from", "2026-03-24T10:00:00Z")
    assert (assignment["from"], assignment["until"]) == ("2026-03-24T10:00:00.000000Z", None)
    closed = console.json("assignments", "close", assignment["id"], *tenant, "--at", "2026-03-24T12:00:00+01:00")
    assert closed["until"] == "2026-03-24T11:00:00.000000Z"
    by_system_id = ("--device", "1122334455667788", "--encounter", encounter["id"])
    assert console.json("assignments", "add", *tenant, *by_system_id)["device_id"] == device["id"]
    unknown = ("--device", "8877665544332211", "--encounter", encounter["id"])
    assert "no device '8877665544332211'" in console.refused("assignments", "add", *tenant, *unknown)
    console.json("encounters", "change", encounter["id"], *tenant, "--care-model", "event_medical")
    assert console.json("encounters", "finish", encounter["id"], *tenant)["status"] == "completed"
    trail = [one for one in console.json("audit", "list", *tenant) if one["object"] == encounter["id"]]
    assert [one["action"] for one in trail] == ["encounter.finish", "encounter.change", "encounter.begin"]
    assert {one["actor"] for one in trail} == {"operator"}
    for noun, count in (("gateways", 1), ("devices", 1), ("encounters", 1), ("assignments", 2), ("vehicles", 1)):
        assert len(console.json(noun, "list", *tenant)) == count


def test_command_output_without_the_json_option_is_a_table_or_a_sentence(console: Console) -> None:
    add_vehicle(console)
    assert console.run("vehicles", "list", "--tenant", "tnt_1")[1].count("veh_1") == 1
    assert console.run("devices", "list", "--tenant", "tnt_1")[1] == "Devices: none\n"
    assert "already at" in console.run("migrate")[1]


def test_refused_command_prints_one_sentence_with_the_reason(console: Console) -> None:
    add_vehicle(console)
    where = ("--tenant", "tnt_1", "--organization", "org_1")
    assert "already in use" in console.refused("tenants", "add", "--name", "x", "--id", "tnt_1")
    assert (
        console.refused("vehicles", "list", "--tenant", "tnt_9") == "There is no tenant 'tnt_9'. Did you mean tnt_1?\n"
    )
    assert "no organisation 'o'" in console.refused("encounters", "add", "--tenant", "tnt_1", "--organization", "o")
    wrong_key = ("gateways", "add", *where, "--vehicle", "veh_1", "--public-key", "AAAA")
    assert "argus-gateway provision" in console.refused(*wrong_key)
    what = ("devices", "enrol", *where, "--serial-number", "1", "--class", "toaster", "--manufacturer", "x")
    assert "oximeter" in console.refused(*what)
    when = ("assignments", "add", "--tenant", "tnt_1", "--device", "d", "--encounter", "e", "--from", "yesterday")
    assert "2026-03-24T10:00:00Z" in console.refused(*when)


def test_help_output_lists_every_command_with_its_purpose(console: Console) -> None:
    code, out, _ = console.run("--help")
    assert code == 0
    for line in ("webhooks Webhooks and their deliveries.", "incidents Incidents of", "init-secrets Create the master"):
        assert line in re.sub(r"[\s│]+", " ", out)
    for name in COMMANDS:
        code, out, _ = console.run(name, "--help")
        assert (code, f"Usage: argus-cloud {name}" in out) == (0, True)


def test_misspelt_command_gets_the_closest_command_as_a_suggestion(console: Console) -> None:
    code, out, err = console.run("webhoks", "list")
    assert (code, out) == (2, "")
    assert "Did you mean 'webhooks'" in err


def test_tenants_command_does_not_import_the_modules_of_other_commands(console: Console, tmp_path: Path) -> None:
    # Imports are most of the time that a command takes.
    words = ["argus-cloud", "--config", str(tmp_path / "cloud.toml"), "tenants", "list", "--json"]
    told = f"import sys; from cloud.cli import app; sys.argv = {words}; app(standalone_mode=False); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "cloud.access.tenancy.cli" in loaded
    assert loaded.isdisjoint({"asyncpg", "sqlalchemy.ext.asyncio", "sqlalchemy.orm"})  # only PostgreSQL or migrations
    assert loaded.isdisjoint({"alembic", "aiohttp", "cloud.partners.webhooks.service", "cloud.access.tokens.minting"})


def test_script_without_the_packages_of_the_cloud_names_the_extra_to_install() -> None:
    started = "import sys; sys.modules['sqlalchemy'] = None; from cloud.entry import main; main()"
    done = subprocess.run([sys.executable, "-c", started], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert "sqlalchemy" in done.stderr
    assert "the extra `cloud`" in done.stderr


def test_error_for_a_missing_database_or_setting_states_how_to_create_it(tmp_path: Path) -> None:
    console = Console(settings_file(tmp_path, more=""))
    for command in (("tenants", "list"), ("serve",), ("migrate",)):
        assert "argus-cloud init" in console.refused(*command)
    assert not (tmp_path / "cloud.db").exists()
    assert console.json("init")["before"] is None
    assert "[hosts.auth]" in console.refused("serve")
    assert "[mqtt]" in console.refused("serve", "--only", "ingest")
    assert "cannot be read" in Console(tmp_path / "none.toml").refused("tenants", "list")


def test_doctor_command_reports_each_problem_with_its_remedy(tmp_path: Path) -> None:
    broker = '[mqtt]\nurl = "mqtt://127.0.0.1:1"\nusername = "cloud"\npassword_file = "password"'
    (tmp_path / "password").write_text("synthetic-secret\n")
    (tmp_path / "password").chmod(0o644)
    console = Console(settings_file(tmp_path, more=broker))
    code, out, _ = console.run("doctor")
    assert code == 1
    assert "argus-cloud init" in out
    console.json("init")
    code, out, _ = console.run("doctor", "--json")
    found = {finding["part"]: finding for finding in json.loads(out)}
    assert code == 1
    assert found["database"]["level"] == "ok"
    assert "chmod 600" in found["broker password"]["sentence"]
    assert "is it running?" in found["broker"]["sentence"]
    assert "synthetic-secret" not in out


def test_batch_command_runs_every_line_of_a_file(console: Console, tmp_path: Path) -> None:
    fleet = tmp_path / "fleet.batch"
    fleet.write_text(
        "# a tenant with a station\n"
        "tenants add --name 'North Region' --id tnt_1 --json\n"
        "\n"
        "organizations add --tenant tnt_1 --name Station --id org_1 --json\n"
    )
    code, out, err = console.run("batch", str(fleet))
    assert (code, err) == (0, "")
    assert [json.loads(line)["id"] for line in out.splitlines()] == ["tnt_1", "org_1"]


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ("tenants add --name Again --id tnt_1", "line 2: stopped here"),
        ("tenants add", "line 2: stopped here"),
        ("no-such-command", "line 2: stopped here"),
        ("tenants add --name 'open", "line 2: no closing quotation"),
        ("batch other", "line 2: a batch cannot hold a batch"),
    ],
)
def test_batch_command_stops_at_the_first_failing_line_and_reports_that_line(
    console: Console, tmp_path: Path, second: str, said: str
) -> None:
    fleet = tmp_path / "fleet.batch"
    fleet.write_text(f"tenants add --name North --id tnt_1\n{second}\ntenants add --name South --id tnt_2\n")
    code, _, err = console.run("batch", str(fleet))
    assert code == 1
    assert said in err
    assert [tenant["id"] for tenant in console.json("tenants", "list")] == ["tnt_1"]


def test_batch_command_refuses_an_unreadable_or_binary_file(console: Console, tmp_path: Path) -> None:
    assert "cannot be read" in console.refused("batch", str(tmp_path / "absent"))
    (tmp_path / "binary").write_bytes(b"\xff\xfe")
    assert "is not UTF-8 text" in console.refused("batch", str(tmp_path / "binary"))


def test_events_command_lists_the_events_of_a_tenant(console: Console) -> None:
    add_vehicle(console)
    where = ("--tenant", "tnt_1", "--organization", "org_1")
    what = ("--serial-number", "SN-1", "--class", "oximeter", "--manufacturer", "Synthetic Medical")
    device = console.json("devices", "enrol", *where, *what)
    (event,) = console.json("events", "list", "--tenant", "tnt_1")
    assert (event["type"], event["key"]) == ("device.enrolled", device["id"])
    assert "no tenant 'tnt_2'" in console.refused("events", "list", "--tenant", "tnt_2")
