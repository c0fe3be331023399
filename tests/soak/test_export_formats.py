"""Archives of NEMSIS reports and waveforms as FHIR resources, at the size of a month of a station, with kills.

The figures that the tests print are of exports in this process; `test_exports` measures processes of their own.
"""

import asyncio
import io
import json
import os
import sys
import time
import zipfile
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloud.foundation.db import migrate, open_database
from cloud.foundation.objects import Results
from cloud.foundation.retention import DAY_US
from protocols.nemsis.export import export_record
from protocols.nemsis.reading import read_reports
from tests.builders.encounter_reading import assigned
from tests.builders.exports import ExportDesk, digest, references
from tests.builders.ingest_cloud import CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.nemsis_judges import rule_findings, schema_faults
from tests.builders.nemsis_records import SUPPLIED, RecordGenerator
from tests.builders.nemsis_reports import MANDATORY, NAME, document
from tests.builders.registry_reports import OTHER_ORGANIZATION, begin_registry, report_uuid, take_report
from tests.builders.waveforms import block, waves
from tests.harness.export_victim import KINDS

pytestmark = pytest.mark.skipif("ARGUS_SOAK" not in os.environ, reason="runs with make soak")

SEED = int(os.environ.get("ARGUS_SEED", "1"))
ENCOUNTERS = 1_000
BLOCKS, BLOCK_SAMPLES = 20_000, 125
"""Blocks of a quarter of a second: 83 minutes of a channel."""
KILLED_ENCOUNTERS, KILLED_BLOCKS = 450, 12_000
"""Enough for two parts of a file."""
TURN_S_MAX = 10.0
"""Longest step: a part of 200 reports, on a busy machine."""


def _url(folder: Path) -> str:
    return f"sqlite:///{folder / 'cloud.db'}"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[ExportDesk]:
    url = _url(tmp_path)
    await migrate(url, create=True)
    database = await open_database(url)
    desk = ExportDesk(CloudUnderTest(database), tmp_path / "objects")
    desk.cloud = CloudUnderTest(database, clock=desk.cloud.clock, objects=desk.objects)
    yield desk
    await database.close()


@pytest.fixture
def past_desk(desk: ExportDesk) -> ExportDesk:
    """Return the desk with a clock before now, so that other processes export its encounters."""
    desk.cloud.clock.at_us = time.time_ns() // 1_000 - DAY_US
    return desk


async def test_archive_of_many_reports_is_complete_valid_and_the_same_after_kills(desk: ExportDesk) -> None:
    await desk.cloud.register(GatewayInVehicle())
    await begin_registry(desk.cloud)
    expected: dict[str, bool] = {}
    for number in range(ENCOUNTERS):
        supplied = replace(SUPPLIED, report_id=report_uuid(number))
        text = export_record(RecordGenerator(SEED + number, (number % 5 + 1) / 5).record(), supplied).document
        if number % 50 == 1:  # lacks mandatory elements
            expected[await take_report(desk.cloud, document(NAME.format("X"), uuid=str(report_uuid(number))))] = False
        elif number % 50 == 2:  # has no agency
            expected[await take_report(desk.cloud, text, organization_id=OTHER_ORGANIZATION)] = False
        else:
            expected[await take_report(desk.cloud, text)] = True
    payload = {"data": "encounters", "format": "nemsis"}
    begun = time.perf_counter()
    whole = await desk.run(payload)
    taken_s, steps = time.perf_counter() - begun, desk.steps
    print(f"{ENCOUNTERS} reports in {taken_s:.1f} s and {steps} steps: {len(whole)} bytes")
    assert taken_s / steps <= TURN_S_MAX
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        assert archive.testzip() is None
        named = archive.namelist()
        lines = [json.loads(line) for name in named if name[:6] == "index/" for line in archive.read(name).splitlines()]
        documents = {name: archive.read(name) for name in named if name.endswith(".xml")}
    assert [(line["encounter_id"], line["document"] is not None) for line in lines] == list(expected.items())
    for name, text in documents.items():
        assert schema_faults(text) == []
        assert [each.rule for each in rule_findings(text) if each.is_error] == []
        listed = [line["report_id"] for line in lines if line["document"] == name]
        assert [str(report.id) for report in read_reports(text)] == listed
    assert digest(await desk.run(payload, killed_before=frozenset(range(steps)))) == digest(whole)
    assert await desk.unfinished() == []


async def test_resources_of_many_blocks_are_each_once_and_the_same_after_kills(desk: ExportDesk) -> None:
    gateway = GatewayInVehicle()
    await desk.cloud.register(gateway)
    samples = [each % 4_096 for each in range(BLOCK_SAMPLES)]
    for first in range(0, BLOCKS, 400):
        batches = range(first, first + 400, 40)
        await desk.cloud.take(
            *(waves(gateway, *(block(*samples, at_s=1 + (at + each) / 4) for each in range(40))) for at in batches)
        )
    await assigned(desk.cloud)
    payload = {"data": "waveforms", "format": "fhir_ndjson"}
    begun = time.perf_counter()
    whole = await desk.run(payload)
    taken_s, steps = time.perf_counter() - begun, desk.steps
    print(f"{BLOCKS} blocks in {taken_s:.1f} s and {steps} steps: {len(whole)} bytes")
    found = [json.loads(line) for line in whole.splitlines()]
    ids = {f"{one['resourceType']}/{one['id']}" for one in found}
    blocks = [one for one in found if "valueSampledData" in one]
    assert len(blocks) == len({one["id"] for one in blocks}) == BLOCKS
    assert all(target in ids for one in found for target in references(one))
    assert digest(await desk.run(payload, killed_before=frozenset(range(steps)))) == digest(whole)
    assert await desk.unfinished() == []


async def killed_file(desk: ExportDesk, payload: dict[str, Any]) -> bytes:
    """Run an export in processes that are killed at every step; return the file, which one without kills has too."""
    words = ("-m", "tests.harness.export_victim", _url(desk.folder.parent), str(desk.folder), json.dumps(payload))
    process = await asyncio.create_subprocess_exec(sys.executable, *words, "small", stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    done = json.loads(printed)
    assert done["killed"] == [list(kind) for kind in KINDS]
    async with desk.cloud.database.read() as tx:
        result = await Results().find(tx, done["job"])
    assert result is not None
    file = await desk.objects.read(result.stored)
    assert await desk.unfinished() == []
    assert digest(file) == digest(await desk.run(payload))
    return file


async def test_archive_of_reports_is_the_same_after_a_kill_at_every_step(past_desk: ExportDesk) -> None:
    await past_desk.cloud.register(GatewayInVehicle())
    await begin_registry(past_desk.cloud)
    for number in range(KILLED_ENCOUNTERS):
        await take_report(past_desk.cloud, document(*MANDATORY, uuid=str(report_uuid(number))))
    file = await killed_file(past_desk, {"data": "encounters", "format": "nemsis"})
    with zipfile.ZipFile(io.BytesIO(file)) as archive:
        assert archive.testzip() is None
        names = [name for name in archive.namelist() if name[:6] == "index/"]
        assert sum(len(archive.read(name).splitlines()) for name in names) == KILLED_ENCOUNTERS


async def test_waveforms_as_resources_are_the_same_after_a_kill_at_every_step(past_desk: ExportDesk) -> None:
    gateway = GatewayInVehicle()
    gateway.now_us = past_desk.cloud.clock.at_us
    await past_desk.cloud.register(gateway)
    samples = [each % 4_096 for each in range(BLOCK_SAMPLES)]
    for first in range(0, KILLED_BLOCKS, 40):
        await past_desk.cloud.take(
            waves(gateway, *(block(*samples, at_s=1 + each / 4) for each in range(first, first + 40)))
        )
    await assigned(past_desk.cloud)
    file = await killed_file(past_desk, {"data": "waveforms", "format": "fhir_ndjson"})
    assert sum("valueSampledData" in json.loads(line) for line in file.splitlines()) == KILLED_BLOCKS
