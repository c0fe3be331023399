"""An export has what the API shows, in each format, and the same bytes whatever happens to its workers."""

import csv
import io
import json
import threading
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError

from cloud.clinical.epcr import Epcr
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.objects import UploadMark
from cloud.foundation.objects.sweeping import REFER_US
from cloud.foundation.viewer import Actor, SecrecyLevel
from cloud.vehicles.ingest.staged_elsewhere import StagedElsewhere
from cloud.work.exports import formats, parquet, work
from cloud.work.exports.schemas import ExportPayload, ExportState
from cloud.work.exports.sources import Rows
from cloud.work.jobs import Advance, JobFailure
from cloud.work.jobs.files import RESTARTS_MAX
from protocols.observation_record import utc_text
from tests.builders.encounter_reading import assigned, blocks, observations
from tests.builders.exports import ExportDesk, digest, references, with_types
from tests.builders.ingest_cloud import OPERATOR, ORGANIZATION, TENANT
from tests.builders.ingest_gateway import NOW_US, OXIMETER, GatewayInVehicle
from tests.builders.ingest_kinds import CUFF, every_kind
from tests.builders.minute_rows import compact, seconds
from tests.builders.waveforms import many_waves
from tests.cloud.observations.test_clocks import early, learnt

PROVENANCE = ("gateway", "epoch", "lane", "sequence", "index")
FORMATS = ("ndjson", "csv", "parquet", "fhir_ndjson")
OBSERVATIONS: dict[str, Any] = {"data": "observations", "format": "ndjson"}


async def two_encounters(desk: ExportDesk, gateway: GatewayInVehicle) -> list[str]:
    """Store observations of every kind, some of them in minute rows and some by a clock that was set later, in two
    encounters; return their ids."""
    cloud = desk.cloud
    await cloud.take(gateway.send_sections(every_kind()), *seconds(gateway, 70, first=10))
    await compact(cloud)
    await cloud.take(*seconds(gateway, 40, first=200), gateway.send_sections([early(1.0, 2.0)]), gateway.send(4.0))
    await cloud.take(learnt(gateway))
    turn_us = NOW_US + 60_000_000
    first = await assigned(cloud, OXIMETER.system_id, CUFF.system_id, until_us=turn_us)
    cloud.clock.at_us += 1_000_000
    second = await assigned(cloud, OXIMETER.system_id, CUFF.system_id, from_us=turn_us)
    return [first, second]


def flat(document: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON line as a row of a table."""
    row = {
        **document,
        **(document.get("provenance") or dict.fromkeys(("gateway", "epoch", "lane", "sequence", "index"))),
    }
    row.pop("provenance", None)
    value = row["value"]
    row["value"] = value if isinstance(value, float) else None
    is_text = value is None or isinstance(value, str)
    row["value_other"] = None if isinstance(value, float) else value if is_text else _json(value)
    return row


def _json(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


async def test_lines_are_those_of_the_api_with_the_encounter(desk: ExportDesk, gateway: GatewayInVehicle) -> None:
    encounters = await two_encounters(desk, gateway)
    found = await desk.lines(OBSERVATIONS)
    expected = [
        {"encounter_id": each, **shown} for each in encounters for shown in await observations(desk.cloud, each)
    ]
    assert len(found) > 200
    assert found == expected
    assert any("text_withheld" in one["flags"] for one in found)
    assert desk.results[-1].download.file_name == "observations.ndjson"


async def test_table_has_the_values_of_the_lines(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    await two_encounters(desk, gateway)
    rows = [flat(one) for one in await desk.lines(OBSERVATIONS)]
    file = await desk.run({**OBSERVATIONS, "format": "parquet"})
    table = pq.read_table(io.BytesIO(file))
    assert pq.ParquetFile(io.BytesIO(file)).metadata.num_row_groups > 3
    stored = [
        {**one, "observed_at": _text(one["observed_at"]), "received_at": _text(one["received_at"])}
        for one in table.to_pylist()
    ]
    assert stored == rows
    cells = list(csv.DictReader(io.StringIO((await desk.run({**OBSERVATIONS, "format": "csv"})).decode())))
    assert cells == [{name: _cell(value) for name, value in row.items()} for row in stored]


def _text(at: Any) -> str:
    return utc_text(round(at.timestamp() * 1_000_000))


def _cell(value: Any) -> str:
    if value is None or value == []:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list):
        return _json(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(("+", "-")) else str(value)


@pytest.mark.contract("S-138")
@pytest.mark.parametrize("form", FORMATS)
async def test_export_whose_workers_are_killed_has_the_same_bytes(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None, form: str
) -> None:
    await two_encounters(desk, gateway)
    payload = {**OBSERVATIONS, "format": form}
    whole = await desk.run(payload)
    steps = desk.steps
    assert steps > 5
    assert digest(await desk.run(payload, killed_before=frozenset(range(steps)))) == digest(whole)
    assert {one.stored.name for one in desk.results} == {desk.results[0].stored.name}  # stored once
    assert await desk.unfinished() == []


async def test_progress_of_an_export_grows_within_its_only_encounter(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    cloud = desk.cloud
    encounter = await Epcr(cloud.database, cloud.clock, cloud.ids).begin(OPERATOR, organization_id=ORGANIZATION)
    await cloud.take(*seconds(gateway, 100))
    await assigned(cloud, encounter_id=encounter.id)
    cloud.clock.at_us += 100_000_000
    await desk.run(OBSERVATIONS)
    progress = [state.progress_pct for state in desk.states]
    assert progress == sorted(progress)
    assert (progress[0], progress[-1], len(set(progress)) > 4) == (0, 99, True), progress


async def test_waveforms_are_exported_as_the_api_shows_them(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    await desk.cloud.take(*many_waves(gateway, 12))
    encounter_id = await assigned(desk.cloud)
    payload = {"data": "waveforms", "format": "ndjson"}
    found = await desk.lines(payload)
    expected = [shown for page in await blocks(desk.cloud, encounter_id, limit=50) for shown in page]
    assert found == [{"encounter_id": encounter_id, **shown} for shown in expected]
    table = pq.read_table(io.BytesIO(await desk.run({**payload, "format": "parquet"})))
    assert table.column("samples").to_pylist() == [one["samples"] for one in found]


@pytest.mark.parametrize("form", FORMATS)
async def test_encounters_are_exported_in_each_format(desk: ExportDesk, gateway: GatewayInVehicle, form: str) -> None:
    encounters = await two_encounters(desk, gateway)
    file = await desk.run({"data": "encounters", "format": form})
    match form:
        case "ndjson":
            assert [json.loads(line)["id"] for line in file.splitlines()] == encounters
        case "csv":
            assert [row["id"] for row in csv.DictReader(io.StringIO(file.decode()))] == encounters
        case "parquet":
            assert pq.read_table(io.BytesIO(file)).column("id").to_pylist() == encounters
        case _:
            kinds = [json.loads(line)["resourceType"] for line in file.splitlines()]
            assert kinds[:2] == ["Patient", "Encounter"]
            assert kinds.count("Encounter") == kinds.count("Patient") == 2


@pytest.mark.parametrize("form", FORMATS)
async def test_export_of_nothing_is_a_valid_file(desk: ExportDesk, form: str) -> None:
    file = await desk.run({**OBSERVATIONS, "format": form})
    if form == "parquet":
        assert pq.read_table(io.BytesIO(file)).num_rows == 0
    else:
        assert len(file.splitlines()) == (form == "csv")


async def test_export_shows_no_encounter_that_the_caller_may_not_see(
    desk: ExportDesk, gateway: GatewayInVehicle
) -> None:
    await two_encounters(desk, gateway)
    for actor, sees in (
        (Actor(TENANT, ORGANIZATION, SecrecyLevel.STANDARD, subject="app", client_id="app"), True),
        (Actor(TENANT, "org_other", SecrecyLevel.STANDARD, subject="app", client_id="app"), False),
        (Actor("tnt_other", None, SecrecyLevel.TOP_SECRET, subject="app", client_id="app"), False),
    ):
        assert bool(await desk.lines(OBSERVATIONS, actor=actor)) is sees


async def test_selection_limits_encounters_devices_and_codes(desk: ExportDesk, gateway: GatewayInVehicle) -> None:
    first, _ = await two_encounters(desk, gateway)
    device_id = (await desk.cloud.device_ids())[CUFF.system_id]
    found = await desk.lines({**OBSERVATIONS, "device_id": device_id})
    assert {one["device_id"] for one in found} == {device_id}
    found = await desk.lines({**OBSERVATIONS, "mdc_codes": ["MDC_PULS_OXIM_SAT_O2"]})
    assert {one["mdc_code"] for one in found} == {"MDC_PULS_OXIM_SAT_O2"}
    found = await desk.lines({**OBSERVATIONS, "until": utc_text(NOW_US + 500_000)})
    assert {one["encounter_id"] for one in found} == {first}


async def test_resources_are_those_of_the_bundle(desk: ExportDesk, gateway: GatewayInVehicle) -> None:
    from tests.cloud.fhir.test_bundles import measured, parts

    encounters = await two_encounters(desk, gateway)
    found = {one["id"]: one for one in await desk.lines({**OBSERVATIONS, "format": "fhir_ndjson"})}
    ids = {f"{one['resourceType']}/{one['id']}" for one in found.values()}
    expected = [one for each in encounters for one in measured(await parts(desk.cloud, each))]
    expected = [one for one in expected if "valueSampledData" not in one]
    assert len(expected) > 100
    for resource in expected:
        shown = dict(found[resource["identifier"][0]["value"]])
        shown.pop("id")
        assert json.dumps(shown) == json.dumps(with_types(resource))
        assert set(references(shown)) <= ids


async def test_row_groups_and_the_end_of_a_parquet_file_are_made_beside_the_event_loop(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_encounters(desk, gateway)
    threads: dict[str, set[int]] = {"encoded": set(), "end": set()}
    encoded, end = parquet.ParquetPart.encoded, parquet.ParquetFormat.end

    def watched_encoded(self: parquet.ParquetPart, **place: Any) -> Any:
        threads["encoded"].add(threading.get_ident())
        return encoded(self, **place)

    def watched_end(self: parquet.ParquetFormat, details: Any, **place: Any) -> Any:
        threads["end"].add(threading.get_ident())
        return end(self, details, **place)

    monkeypatch.setattr(parquet.ParquetPart, "encoded", watched_encoded)
    monkeypatch.setattr(parquet.ParquetFormat, "end", watched_end)
    await desk.run({**OBSERVATIONS, "format": "parquet"})
    assert all(threads.values())
    assert threading.get_ident() not in threads["encoded"] | threads["end"]


@pytest.mark.parametrize(
    ("data", "form", "encounters_max"),
    [
        ("observations", "ndjson", 20),
        ("observations", "parquet", 20),
        ("observations", "fhir_ndjson", 5),
        ("waveforms", "fhir_ndjson", 5),
    ],
)
async def test_step_ends_after_a_number_of_encounters_without_measurements(
    desk: ExportDesk, monkeypatch: pytest.MonkeyPatch, data: str, form: str, encounters_max: int
) -> None:
    epcr = Epcr(desk.cloud.database, desk.cloud.clock, desk.cloud.ids)
    for _ in range(21):
        await epcr.begin(OPERATOR, organization_id=ORGANIZATION)
    payload = {"data": data, "format": form}
    whole = await desk.run(payload)
    monkeypatch.setattr(work, "PART_WORK_MAX", 20)
    assert digest(await desk.run(payload, killed_before=frozenset(range(3)))) == digest(whole)
    done = [state.encounters_done for state in desk.states]
    assert max(after - before for before, after in pairwise(done)) == encounters_max
    assert done[-1] == 21


def test_work_of_a_page_grows_with_its_care_record_and_is_larger_within_an_encounter() -> None:
    def per_step(page: Rows) -> int:
        return round(work.PART_WORK_MAX / page.work)

    assert per_step(Rows([], 0, None)) == 1_000
    assert per_step(Rows([], 0, None, record_values=0)) == 250
    assert 50 <= per_step(Rows([], 0, None, record_values=400)) <= 80
    assert per_step(Rows([], 0, (1, 0, 0, 0))) == 50


async def test_export_reads_its_rows_through_the_connections_for_long_reads(
    desk: ExportDesk, gateway: GatewayInVehicle, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_encounters(desk, gateway)
    desk.cloud.clock.at_us += 1
    job = desk.job(OBSERVATIONS)

    async def find_nothing(_: StagedElsewhere) -> None:
        """Replace the look-up whether other processes have staged batches: it reads a few rows."""

    monkeypatch.setattr(StagedElsewhere, "settle", find_nothing)
    exporting = desk.work()

    def read() -> Any:
        raise AssertionError("an export must not displace what requests have in their caches")

    if isinstance(desk.cloud.database, SqliteDatabase):
        monkeypatch.setattr(desk.cloud.database, "read", read)
    while job.state.joined is None:
        outcome = await exporting.step(job)
        assert isinstance(outcome, Advance)
        job = replace(job, state=outcome.state)
    assert job.state.rows > 200


async def test_cancelled_export_leaves_no_object(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    await two_encounters(desk, gateway)
    desk.cloud.clock.at_us += 1
    job = desk.job({**OBSERVATIONS, "format": "parquet"})
    for _ in range(3):
        outcome = await desk.work().step(job)
        assert isinstance(outcome, Advance)
        job = type(job)(job.id, job.actor, job.payload, outcome.state, 1)
    assert await desk.unfinished()
    await desk.work().step(job)  # cancelled before its state was stored
    await desk.work().discard(job)
    await desk.work().discard(job)
    assert await desk.unfinished() == []


async def test_export_whose_parts_were_lost_begins_again_a_limited_number_of_times(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None
) -> None:
    await two_encounters(desk, gateway)
    desk.cloud.clock.at_us += 1
    restarts: list[int] = []

    async def lose_each_part() -> None:
        job = desk.job(OBSERVATIONS)
        while True:
            outcome = await desk.work().step(job)
            assert isinstance(outcome, Advance)
            restarts.append(UploadMark.of(outcome.state.parts or {}).restarts)
            job = type(job)(job.id, job.actor, job.payload, outcome.state, 1)
            for name in await desk.unfinished():
                await desk.objects.remove(name)

    with pytest.raises(JobFailure, match="lost repeatedly"):
        await lose_each_part()
    assert set(restarts) == {0, 1, RESTARTS_MAX}
    assert len(await desk.lines(OBSERVATIONS)) > 200


async def test_export_that_did_not_run_for_a_day_before_its_end_begins_again(
    desk: ExportDesk, gateway: GatewayInVehicle
) -> None:
    await two_encounters(desk, gateway)
    desk.cloud.clock.at_us += 1
    job = desk.job(OBSERVATIONS)
    while job.state.joined is None:
        outcome = await desk.work().step(job)
        assert isinstance(outcome, Advance)
        job = type(job)(job.id, job.actor, job.payload, outcome.state, 1)
    desk.cloud.clock.at_us += REFER_US
    outcome = await desk.work().step(job)
    assert isinstance(outcome, Advance)
    assert outcome.state == ExportState(parts=outcome.state.parts, details=outcome.state.details)
    assert [page async for page in desk.objects.pages("results")] == []


async def test_too_large_export_fails_with_a_reason(
    desk: ExportDesk, gateway: GatewayInVehicle, small_parts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await two_encounters(desk, gateway)
    monkeypatch.setattr(work, "JOINED_BYTES_MAX", 50_000)
    with pytest.raises(JobFailure, match="shorter time"):
        await desk.run(OBSERVATIONS)


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"data": "encounters"}, "format"),
        ({**OBSERVATIONS, "format": "xml"}, "format"),
        ({**OBSERVATIONS, "more": 1}, "more"),
        ({**OBSERVATIONS, "since": "yesterday"}, "since"),
        ({**OBSERVATIONS, "since": "2026-01-02T00:00:00Z", "until": "2026-01-01T00:00:00Z"}, "before until"),
        ({"data": "encounters", "format": "csv", "device_id": "dev_1"}, "not encounters"),
        ({**OBSERVATIONS, "mdc_codes": []}, "mdc_codes"),
        ({"data": "waveforms", "format": "nemsis"}, "encounters only"),
    ],
)
def test_unusable_payload_is_refused(payload: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ExportPayload.model_validate(payload)


def test_text_that_a_spreadsheet_takes_for_a_formula_is_disarmed() -> None:
    part = formats.CsvFormat(formats.ExportData.ENCOUNTERS).part()
    part.add([["=1+1"], ["@x"], ["plain"], [None], ["-"], [None]])
    assert part.encoded(first=False, at_bytes=1)[0] == b"'=1+1,'@x,plain,,'-,\r\n"
