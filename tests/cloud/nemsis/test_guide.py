"""The commands of the operator's guide about NEMSIS reports work as written, and refuse what they cannot do."""

import re
import shlex
import shutil
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cloud.cli import app
from tests.builders.cloud_settings import settings_file
from tests.builders.nemsis_reports import NAME, UUID_TEXT, WITH_VEHICLE, document
from tests.builders.nemsis_schema import SCHEMAS
from tests.cloud.cli.conftest import logging_as_before
from tests.cloud.nemsis.test_reports import ENCOUNTER
from tests.harness.shared import shared_file

__all__ = ["logging_as_before"]
GUIDE = Path(__file__).parents[3] / "docs" / "operator.md"


class Shell:
    """A shell in a folder with a new cloud, in which the commands run in the test process."""

    def __init__(self, folder: Path) -> None:
        self._config = str(settings_file(folder))
        self.run("init")
        self.run("tenants", "add", "--name", "Valley", "--id", "tnt_valley")
        self.run("organizations", "add", "--tenant", "tnt_valley", "--name", "North", "--id", "org_north")

    def run(self, *words: str, code: int = 0) -> str:
        """Run `argus-cloud`; return its standard output, or its standard error if it fails with `code`."""
        outcome = CliRunner().invoke(app, ["--config", self._config, *words])
        assert outcome.exit_code == code, outcome.stderr
        return outcome.stdout if code == 0 else outcome.stderr


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, migrated_sqlite: Path) -> Shell:
    shutil.copy(migrated_sqlite, tmp_path / "cloud.db")
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


def commands_of_the_guide() -> list[list[str]]:
    text = GUIDE.read_text()
    section = text[text.index("**A NEMSIS report**") : text.index("`--device` takes the device's id")]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def test_commands_of_the_guide_set_an_agency_and_import_and_export_a_report(shell: Shell, tmp_path: Path):
    schema = shared_file(SCHEMAS)
    sample = shared_file(f"{SCHEMAS}/../../Compliance/Pre-Testing/xml/full/2025-EMS-1-Overdose_v351.xml")
    (tmp_path / "report.xml").write_bytes(sample.read_bytes() if sample else document(*WITH_VEHICLE))
    if schema is not None:
        (tmp_path / "nemsis").mkdir()
        (tmp_path / "nemsis/xsd").symlink_to(schema)
    for words in commands_of_the_guide():
        words = [ENCOUNTER if word == "enc_…" else word for word in words]
        shell.run(*(words if schema is not None else [word for word in words if word not in ("--xsd", "nemsis/xsd")]))
    written = tmp_path / "exported.xml"
    assert UUID_TEXT.encode() in written.read_bytes()
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert '"number":"351-C034P2"' in shell.run(
        "nemsis", "show", "--tenant", "tnt_valley", "--organization", "org_north", "--json"
    )


def prepare(shell: Shell, tmp_path: Path, *lines: str) -> None:
    (tmp_path / "report.xml").write_bytes(document(*lines))
    shell.run(*commands_of_the_guide()[0])
    shell.run("epcr", "import", "--nemsis", "report.xml", "--tenant", "tnt_valley", "--organization", "org_north")


def test_export_names_what_to_correct_and_writes_no_file(shell: Shell, tmp_path: Path):
    prepare(shell, tmp_path, NAME.format("Canary"))
    export = ("epcr", "export", "--nemsis", ENCOUNTER, "--tenant", "tnt_valley", "--to", "out.xml")
    errors = shell.run(*export, code=1)
    assert "- eTimes.13 (Times: Back in service): NEMSIS demands a value" in errors
    assert "Canary" not in errors
    assert not (tmp_path / "out.xml").exists()


def test_schema_of_the_operator_also_checks_codes(shell: Shell, tmp_path: Path):
    if shared_file(SCHEMAS) is None:
        pytest.skip(f"shared material is absent: {SCHEMAS}")
    prepare(shell, tmp_path, *(line.replace("2301021", "2301998") for line in WITH_VEHICLE))
    export = ("epcr", "export", "--nemsis", ENCOUNTER, "--tenant", "tnt_valley")
    assert "2301998" in shell.run(*export)
    errors = shell.run(*export, "--xsd", str(shared_file(SCHEMAS)), code=1)
    assert "- eDispatch.01" in errors
    assert "The code is not in the list of the schema." in errors
    assert "2301998" not in errors
    assert "EMSDataSet_v3.xsd cannot be read" in shell.run(*export, "--xsd", str(tmp_path), code=1)


def test_existing_file_is_not_overwritten_and_a_missing_one_is_named(shell: Shell, tmp_path: Path):
    prepare(shell, tmp_path, *WITH_VEHICLE)
    export = ("epcr", "export", "--nemsis", ENCOUNTER, "--tenant", "tnt_valley")
    assert "report.xml exists already" in shell.run(*export, "--to", "report.xml", code=1)
    assert "cannot be written" in shell.run(*export, "--to", "absent/out.xml", code=1)
    take = ("epcr", "import", "--nemsis", "absent.xml", "--tenant", "tnt_valley", "--organization", "org_north")
    assert "absent.xml cannot be read" in shell.run(*take, code=1)


def test_import_lists_what_the_record_does_not_have(shell: Shell, tmp_path: Path):
    (tmp_path / "report.xml").write_bytes(document("<ePatient><ePatient.01>DF23286</ePatient.01></ePatient>"))
    take = ("epcr", "import", "--nemsis", "report.xml", "--tenant", "tnt_valley")
    outcome = CliRunner().invoke(
        app, ["--config", str(tmp_path / "cloud.toml"), *take, "--organization", "org_north", "--json"]
    )
    assert "ePatient.01: The care record does not have this element." in outcome.stderr
    assert outcome.stdout == f'[{{"encounter":"{ENCOUNTER}","changes":0,"omissions":1}}]\n'
    assert "name either --encounter" in shell.run(*take, code=2)
    (tmp_path / "report.xml").write_bytes(b"<!DOCTYPE x><x/>")
    assert "DTD" in shell.run(*take, "--organization", "org_north", "--xsd", str(tmp_path), code=1)
