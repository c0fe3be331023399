"""`argus-sim agent` and `argus-sim play` with a live manager, and one sentence for each failure."""

import asyncio
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gateway.transports.capture import Capture, CaptureWriter, read_capture
from protocols.device_time import TimeKind
from protocols.ieee11073.association.events import ConfigurationAgreed
from simulators.agents.kinds import KINDS
from simulators.cli import app
from tests.builders.sim_capture import oximeter_capture
from tests.builders.sim_manager import sim_manager
from tests.builders.sim_wfdb import bytes_16, write_record

ARGUS_SIM = Path(sys.executable).with_name("argus-sim")


def written(capture: Capture, path: Path) -> Path:
    writer = CaptureWriter(path, 1 << 20, meta=capture.meta, started_s=0.0)
    for record in capture.records:
        writer.write(record)
    writer.close()
    assert read_capture(path).records
    return path


async def run(*arguments: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        ARGUS_SIM, *arguments, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_agent_command_delivers_its_reports_and_prints_a_summary(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    async with sim_manager() as manager:
        host, port = manager.address
        arguments = ("oximeter", "--tcp", f"{host}:{port}", "--for", "1.2", "--witness", str(witness), "--unit", "7")
        code, out, err = await run("agent", *arguments)
        assert code == 0, err
        assert out.startswith(
            "SIM-OX: 1 reports measured, 1 acknowledged, 0 repeated, 0 left, 0 dropped, 1 associations"
        )
        assert len(manager.stored) == 2
        assert manager.released
        assert witness.read_text().split()[:2] == ["024152fffe010007", "1"]


async def test_agent_command_options_select_clock_and_scanner_behaviour() -> None:
    async with sim_manager() as manager:
        host, port = manager.address
        options = ("--clock", "relative", "--clock-off", "30", "--set-time", "silent", "--scanner", "episodic")
        code, _, err = await run("agent", "oximeter", "--tcp", f"{host}:{port}", "--for", "1.2", *options)
        assert code == 0, err
        assert [seen.device_time.kind for seen in manager.stored if seen.device_time] == [TimeKind.RELATIVE] * 2
        (agreed,) = (event for event in manager.events if isinstance(event, ConfigurationAgreed))
        assert agreed.config_id == 0x6190


def test_kinds_command_lists_every_device_kind() -> None:
    listed = CliRunner().invoke(app, ["kinds"]).stdout.splitlines()
    assert [line.split()[0] for line in listed] == list(KINDS)


async def test_play_command_replays_a_capture_and_prints_a_summary(tmp_path: Path) -> None:
    path = written(oximeter_capture(), tmp_path / "capture.jsonl")
    async with sim_manager() as manager:
        code, out, err = await run("play", str(path), "--tcp", f"127.0.0.1:{manager.address[1]}")
        assert code == 0, err
        assert out.splitlines()[-1] == "conn 1 over: 5 APDUs sent, 2 reports acknowledged, 0 refused, 0 unacknowledged"
        assert len(manager.stored) == 4
        manager.full = True
        code, out, _ = await run("play", str(path), "--tcp", f"127.0.0.1:{manager.address[1]}")
        assert (code, "2 refused" in out) == (1, True)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["agent", "toaster", "--tcp", "127.0.0.1:1"], "there is no device 'toaster'; there are oximeter"),
        (["agent", "oximeter"], "give either --tcp HOST:PORT or --serial PATH"),
        (["agent", "oximeter", "--tcp", "127.0.0.1:1", "--serial", "/dev/null"], "give either --tcp"),
        (["agent", "oximeter", "--tcp", "nowhere"], "'nowhere' is not HOST:PORT"),
        (["agent", "oximeter", "--tcp", "127.0.0.1:99999"], "is not HOST:PORT"),
        (["agent", "monitor", "--tcp", "127.0.0.1:1", "--scenario", "flood"], "there is no scenario 'flood'"),
        (["agent", "monitor", "--tcp", "127.0.0.1:1", "--replay", "absent"], "absent.hea cannot be read"),
        (["agent", "oximeter", "--tcp", "127.0.0.1:1", "--witness", "absent/w"], "absent/w: No such file"),
        (["play", "absent.jsonl", "--tcp", "127.0.0.1:1"], "absent.jsonl: No such file"),
        (["play", "capture.jsonl", "--tcp", "127.0.0.1:1"], "Connect call failed"),
        (["play", "capture.jsonl"], "the address of the manager is missing: give --tcp HOST:PORT"),
        (["play", "r.hea", "--tcp", "127.0.0.1:1"], "line 1: not JSON"),
        (["agent", "oximeter", "--tcp", "127.0.0.1:1", "--replay", "r"], "the oximeter does not play records"),
    ],
)
def test_command_with_invalid_arguments_exits_with_one_and_prints_one_line(
    arguments: list[str], sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(oximeter_capture(), tmp_path / "capture.jsonl")
    write_record(tmp_path, "r 1 100 200\nx.dat 16\n", x_dat=bytes_16([0] * 200))
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith("argus-sim: ")
    assert sentence in line


WITHOUT_RADIO = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "bumble":
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Absent())
from simulators.cli import main
sys.argv = ["argus-sim", "kinds"]
main()
"""


async def test_agent_command_of_a_wired_device_does_not_import_the_virtual_radio() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WITHOUT_RADIO, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    assert process.returncode == 0, err.decode()
    assert b"oximeter" in out


@pytest.mark.finding("edge-check-6")
def test_agent_command_without_an_association_exits_with_one_and_names_the_address() -> None:
    result = CliRunner().invoke(app, ["agent", "oximeter", "--tcp", "127.0.0.1:9", "--for", "0.3"])
    assert result.exit_code == 1
    assert "0 associations" in result.stdout
    assert "no manager ever associated" in result.stderr
    assert "127.0.0.1:9" in result.stderr


@pytest.mark.finding("edge-check-6")
def test_agent_command_error_for_a_missing_serial_port_names_the_serial_option(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["agent", "oximeter", "--serial", str(tmp_path / "nothing"), "--for", "0.3"])
    assert result.exit_code == 1
    assert f"{tmp_path}/nothing is not there" in result.stderr
    assert "[[serial]]" not in result.stderr
    assert "--serial" in result.stderr


@pytest.mark.finding("edge-check-6")
def test_scanner_option_is_rejected_for_a_device_kind_that_has_its_own_scanner() -> None:
    words = ["agent", "scanned-ecg", "--tcp", "127.0.0.1:9", "--scanner", "periodic", "--for", "0.3"]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 1
    assert result.stderr.strip().endswith("the scanned-ecg reports through a scanner of its own: leave --scanner out")
