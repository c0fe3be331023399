"""`argus-gateway crew`: adding crew members one by one or from a file, changing PINs, removing members."""

import json

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.provision import provisioned
from gateway.settings import load
from tests.harness.gateway_process import Vehicle

CREW_FILE = "id,name,role\nusr_1,Anna Nowak,paramedic\nusr_2,Jan Kowalski,driver\n"


@pytest.fixture(scope="module")
def vehicle(tmp_path_factory):
    made = Vehicle(tmp_path_factory.mktemp("vehicle"))
    provisioned(load(made.config))
    return made


def run(vehicle, *arguments, code=0):
    result = CliRunner().invoke(app, ["--config", str(vehicle.config), *map(str, arguments)])
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")] or result.output


def test_crew_members_of_a_file_are_added_once_and_their_pins_are_printed_once(vehicle, tmp_path):
    (tmp_path / "crew.csv").write_text(CREW_FILE)
    added = run(vehicle, "crew", "import", tmp_path / "crew.csv", "--json")
    assert [(each["id"], each["role"], len(each["pin"])) for each in added] == [
        ("usr_1", "paramedic", 6),
        ("usr_2", "driver", 6),
    ]
    assert not run(vehicle, "crew", "import", tmp_path / "crew.csv", "--json")
    assert run(vehicle, "crew", "list", "--json") == [
        {"id": "usr_1", "name": "Anna Nowak", "role": "paramedic"},
        {"id": "usr_2", "name": "Jan Kowalski", "role": "driver"},
    ]
    (renewed,) = run(vehicle, "crew", "pin", "usr_1", "--json")
    assert renewed["pin"] != added[0]["pin"]
    run(vehicle, "crew", "remove", "usr_2")
    assert "there is no crew member usr_2" in run(vehicle, "crew", "pin", "usr_2", code=1)
    assert "already" in run(vehicle, "crew", "add", "usr_1", "--name", "Ewa", "--role", "nurse", code=1)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"id,name\nusr_3,Ewa\n", "line 1"),
        (b"id,name,role\nusr_3,Ewa,pilot\n", "line 2"),
        (b"id,name,role\nusr_3\n", "line 2"),
        (b"\xff\xfe", "UTF-8"),
        (b"id,name,role\n" + b"x" * 200_000, "too large"),
    ],
)
def test_crew_file_with_a_mistake_is_refused_and_nothing_is_added(vehicle, tmp_path, content, why):
    (tmp_path / "crew.csv").write_bytes(content)
    assert why in run(vehicle, "crew", "import", tmp_path / "crew.csv", code=1)
    assert "usr_3" not in str(run(vehicle, "crew", "list", "--json"))


def test_provision_adds_the_crew_members_of_a_file(vehicle, tmp_path):
    (tmp_path / "crew.csv").write_text("id,name,role\nusr_7,Ola,student\n")
    (made,) = run(vehicle, "provision", "--json", "--crew", tmp_path / "crew.csv")
    assert [each["id"] for each in made["crew_members"]] == ["usr_7"]
