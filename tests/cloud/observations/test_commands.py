"""`argus-cloud observations export` and `custody check` as a script uses them."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete
from typer.testing import CliRunner, Result

from cloud.cli import app
from cloud.foundation.db import open_database
from cloud.foundation.objects import LocalObjects
from cloud.vehicles.custody.tables import batches
from cloud.vehicles.ingest import staged_requests
from protocols.device_description import DeviceDescription
from protocols.uplink.lanes import Lane
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import OXIMETER, GatewayInVehicle
from tests.builders.waveforms import waves


class Console:
    """The command line `argus-cloud`, run in the test process on a cloud with some observations."""

    def __init__(self, config: Path) -> None:
        self._config = config

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(app, ["--config", str(self._config), *words])

    def lines(self, *words: str) -> list[dict[str, Any]]:
        result = self.run(*words)
        assert result.exit_code == 0, result.output
        return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
async def console(database_url: str, tmp_path: Path) -> Console:
    gateway = GatewayInVehicle()
    opened = await open_database(database_url)
    cloud = await CloudUnderTest(opened).register(gateway)
    await cloud.take(gateway.send(97.0, 96.0), gateway.send(95.0), gateway.send_event())
    await opened.close()
    config = tmp_path / "cloud.toml"
    config.write_text(f'database_url = "{database_url}"\n')
    return Console(config)


async def remove_a_batch(database_url: str) -> None:
    database = await open_database(database_url)
    async with database.transaction() as tx:
        await tx.execute(delete(batches).where(batches.c.sequence == 1, batches.c.kind == "observations"))
    await database.close()


def test_export_command_prints_observations_as_json_lines(console: Console):
    rows = console.lines("observations", "export", "--json")
    assert [(row["sequence"], row["index"], row["value"]) for row in rows] == [(1, 0, 97.0), (2, 0, 95.0), (1, 1, 96.0)]
    assert rows[0]["device"] == {"system_id": OXIMETER.system_id, "model": OXIMETER.model}


def test_export_command_filters_observations_by_device_or_by_start_time_or_by_tenant(console: Console):
    export = ("observations", "export", "--json")
    assert len(console.lines(*export, "--device", OXIMETER.system_id)) == 3
    assert "no device '0011'" in console.run(*export, "--device", "0011").stderr
    assert [row["value"] for row in console.lines(*export, "--since", "2027-01-15T08:00:02Z")] == [96.0]
    assert "no tenant 'ten_other'" in console.run(*export, "--tenant", "ten_other").stderr
    assert "committed_at" in console.lines(*export, "--with-commit-time")[0]


async def test_export_command_prints_the_attributes_of_devices_on_request(database_url: str, tmp_path: Path):
    gateway = GatewayInVehicle()
    opened = await open_database(database_url)
    cloud = await CloudUnderTest(opened).register(gateway)
    pulse = DeviceDescription(manufacturer="Synthetic Medical", serial_number="SN-7", firmware_revision="1.0")
    updated = replace(pulse, firmware_revision="1.1")
    gateway.now_us -= 120_000_000
    await cloud.take(gateway.send_description(pulse), gateway.send(97.0, 96.0))
    gateway.now_us += 60_000_000
    await cloud.take(gateway.send_description(updated), gateway.send(95.0))
    await opened.close()
    config = tmp_path / "cloud.toml"
    config.write_text(f'database_url = "{database_url}"\n')
    export = ("observations", "export", "--with-device-attributes")
    result = await _in_thread(Console(config), *export, "--json")
    devices = [json.loads(line)["device"] for line in result.stdout.splitlines()]
    assert [device["description"]["firmware_revision"] for device in devices] == ["1.0", "1.0", "1.1"]
    assert {device["system_id"] for device in devices} == {OXIMETER.system_id}
    lines = (await _in_thread(Console(config), *export)).stdout.splitlines()
    assert lines[0] == (
        "2027-01-15T07:58:01.000000Z  Synthetic Medical, Synthetic Oximeter, serial number SN-7, firmware 1.0  "
        "MDC_PULS_OXIM_SAT_O2  97.0"
    )
    assert "firmware 1.1" in lines[2]


@pytest.mark.parametrize("lane", [Lane.NUMERIC, Lane.WAVEFORM])
async def test_export_command_prints_what_an_ingest_process_has_staged(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lane: Lane
):
    monkeypatch.setattr(staged_requests, "REQUESTS_S", 0.0)
    gateway = GatewayInVehicle()
    opened = await open_database(database_url)
    cloud = CloudUnderTest(opened, objects=LocalObjects(tmp_path / "objects"), staged=True)
    await cloud.register(gateway)
    for _ in range(2):  # the first batch of a lane is written at once
        await cloud.arrive(gateway.send(97.0) if lane is Lane.NUMERIC else waves(gateway))
    config = tmp_path / "cloud.toml"
    config.write_text(f'database_url = "{database_url}"\nobjects_dir = "objects"\n')
    serving = asyncio.ensure_future(cloud.staged.serve_requests())
    result = await _in_thread(Console(config), "observations", "export", "--json")
    serving.cancel()
    await asyncio.wait([serving])
    await opened.close()
    assert [json.loads(line)["sequence"] for line in result.stdout.splitlines()] == [1, 2]


def test_reprocess_command_reports_the_number_of_decoded_and_unreadable_batches(console: Console):
    assert "0 batches decoded" in console.run("custody", "reprocess").stdout
    assert console.lines("custody", "reprocess", "--json")[0]["still_unreadable"] == 0


def test_export_command_refuses_a_start_time_without_a_utc_offset(console: Console):
    result = console.run("observations", "export", "--since", "2027-01-15T08:00:02")
    assert result.exit_code == 1
    assert "offset" in result.stderr


def test_export_command_without_the_json_option_prints_one_line_per_observation(console: Console):
    lines = console.run("observations", "export").stdout.splitlines()
    assert lines[0] == "2027-01-15T08:00:01.000000Z  Synthetic Oximeter  MDC_PULS_OXIM_SAT_O2  97.0"


def test_custody_check_command_reports_an_intact_chain(console: Console):
    (document,) = console.lines("custody", "check", "--json")
    assert [(lane["lane"], lane["through"], lane["intact"]) for lane in document["lanes"]] == [
        ("event", 1, True),
        ("numeric", 2, True),
    ]
    nobodys = console.run("custody", "check", "--gateway", "gw_other", "--json")
    assert (nobodys.exit_code, nobodys.stdout) == (1, "")
    assert "intact" in console.run("custody", "check").stdout
    (compared,) = console.lines("custody", "check", "--rows", "--json")
    assert [(lane["observations"], lane["intact"]) for lane in compared["lanes"]] == [(0, True), (3, True)]


async def test_custody_check_command_exits_with_1_and_names_the_missing_sequence_of_a_broken_chain(
    console: Console, database_url: str
):
    await remove_a_batch(database_url)
    result = await _in_thread(console, "custody", "check")
    assert result.exit_code == 1
    assert "numeric 1…1: missing" in result.stdout


async def _in_thread(console: Console, *words: str) -> Result:
    """Run a command in a thread, because the command runs its own event loop."""
    return await asyncio.to_thread(console.run, *words)
