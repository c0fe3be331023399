"""`argus-gateway crew`: adding crew members one by one or from a file, changing PINs, removing members."""

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.cli.doctor_crew import authority_findings, crew_findings
from gateway.cli.provision import provisioned
from gateway.security.secret_store import SecretStore
from gateway.security.vehicle_authority import VehicleAuthority
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


DAY_US = 86_400_000_000
BUILT_US = 1_767_225_600_000_000


def test_authority_command_makes_one_authority_and_another_only_on_request(tmp_path):
    made = Vehicle(tmp_path, more_settings='[crew]\nlisten = "10.0.0.1:8080"\n')
    provisioned(load(made.config))
    (first,) = run(made, "crew", "authority", "--json")
    assert first["address"] == "http://argus.local:8080/"
    assert run(made, "crew", "authority", "--json") == [first]
    (other,) = run(made, "crew", "authority", "--new", "--json")
    assert other["fingerprint"] != first["fingerprint"]
    settings = load(made.config)
    grades = {each.grade for each in crew_findings(settings, settings.crew)}
    assert grades == {"well", "unwise"}, "the authority is well, and there is no crew member"


def test_authority_command_explains_that_a_loopback_page_needs_none(tmp_path):
    made = Vehicle(tmp_path, more_settings='[crew]\nlisten = "127.0.0.1:8080"\n')
    assert "loopback" in run(made, "crew", "authority", code=1)


@pytest.mark.parametrize(
    ("days", "grade", "words"),
    [
        (-1, "wrong", "clock is before the validity"),
        (0, "well", "trust the authority"),
        (15 * 365 - 100, "unwise", "expires in 100 days"),
        (15 * 365 + 1, "wrong", "has expired"),
    ],
)
def test_doctor_grades_the_authority_by_the_clock_of_the_box(tmp_path, days, grade, words):
    secrets = SecretStore(tmp_path, b"k" * 32, gateway="gw_test")
    authority = VehicleAuthority.create(secrets, "veh_1", [], now_us=BUILT_US, built_us=BUILT_US)
    first, *_ = authority_findings(authority, SimpleNamespace(host_names=()), BUILT_US + days * DAY_US)
    assert (first.grade, words in first.sentence) == (grade, True), first


def test_doctor_names_a_configured_name_that_the_authority_does_not_permit(tmp_path):
    secrets = SecretStore(tmp_path, b"k" * 32, gateway="gw_test")
    authority = VehicleAuthority.create(secrets, "veh_1", [], now_us=BUILT_US, built_us=BUILT_US)
    findings = authority_findings(authority, SimpleNamespace(host_names=("tablet.example",)), BUILT_US)
    assert "tablet.example" in list(findings)[-1].sentence
