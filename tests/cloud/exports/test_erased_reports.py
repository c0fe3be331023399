"""An archive of reports expires when an encounter in it is erased."""

from pathlib import Path

import pytest
from sqlalchemy import insert

from cloud.access.audit import Audit
from cloud.access.audit.tables import audit_entries
from cloud.access.tenancy.tables import tenants
from cloud.clinical.epcr import IDENTIFIED_READ, erased_encounters
from cloud.foundation.db import Database
from cloud.foundation.retention import DAY_US
from cloud.foundation.viewer import Actor
from cloud.work.exports import erased_reports
from cloud.work.exports.erased_reports import ErasedReports
from cloud.work.jobs import JobResult, job_kinds
from cloud.work.jobs.execution import JobExecutor
from cloud.work.jobs.worker import JobWorker
from tests.builders.ingest_cloud import ORGANIZATION, TENANT, CloudUnderTest
from tests.builders.ingest_gateway import GatewayInVehicle
from tests.builders.job_rows import JobRows
from tests.builders.nemsis_reports import MANDATORY, document
from tests.builders.parts import make_parts, sweep_once
from tests.builders.registry_reports import begin_registry, report_uuid, take_report
from tests.harness.plans import PlanDatabase, analyze

REPORTS = '{"data":"encounters","format":"nemsis"}'
LINES = '{"data":"encounters","format":"ndjson"}'


async def add_tenant(database: Database, tenant_id: str) -> None:
    async with database.transaction() as tx:
        await tx.execute(insert(tenants).values(id=tenant_id, name=tenant_id, created_at_us=0))


async def erase(cloud: CloudUnderTest, encounter_id: str, at_us: int, tenant_id: str = TENANT) -> None:
    """Store the tombstone of an encounter."""
    row = tombstone(encounter_id, at_us, tenant_id)
    async with cloud.database.transaction() as tx:
        await tx.execute(insert(erased_encounters).values(row))


def tombstone(encounter_id: str, at_us: int, tenant_id: str) -> dict[str, object]:
    """Return the row of an erased encounter."""
    counts = dict.fromkeys(("observations", "changes", "batches", "others", "unread", "quarantined", "replies"), 0)
    return {
        "erasure_id": encounter_id,
        "tenant_id": tenant_id,
        "encounter_id": encounter_id,
        "seal": b"",
        "organization_id": ORGANIZATION,
        "from_us": 0,
        "until_us": 1,
        "reason": "patient_request",
        "requested_by": "operator",
        "requested_at_us": at_us,
        "phase": "rows",
        "position": "[]",
        "step": 0,
        "progress_at_us": at_us,
        **counts,
    }


async def expire(chore: ErasedReports, rows: JobRows) -> int:
    """Run the chore as the worker does, each turn in a transaction; return the number of turns."""
    for turn in range(1, 100):
        async with rows.database.transaction() as tx:
            if not await chore.expire(tx, rows.clock.now_us()):
                return turn
    raise AssertionError("the round does not end")


async def test_archive_expires_when_an_encounter_in_it_is_erased_and_other_exports_stay(
    database: Database, tmp_path: Path
) -> None:
    cloud = await CloudUnderTest(database).register(GatewayInVehicle())
    await begin_registry(cloud)
    encounters = [await take_report(cloud, document(*MANDATORY, uuid=str(report_uuid(number)))) for number in range(2)]
    rows = JobRows(database)
    rows.clock.advance(us=cloud.clock.now_us() + 1 - rows.clock.now_us())
    process = make_parts(database, rows.clock, sections={"objects_dir": str(tmp_path / "objects")})  # type: ignore[dict-item]
    executor = JobExecutor(database, rows.clock, job_kinds(), lambda kind: kind.work(process), [], result_days=30)
    worker = JobWorker(database, rows.clock, executor, 1)
    ids = [
        *await rows.enqueue(kind="export.bulk", payload=REPORTS, tenant_id=TENANT, client_id=None),
        *await rows.enqueue(kind="export.bulk", payload=LINES, tenant_id=TENANT, client_id=None),
    ]
    assert await worker.step() == 2
    rows.clock.advance(us=1)
    chore = ErasedReports(rows.clock)

    async def expired() -> list[str]:
        await expire(chore, rows)
        return [row.object for row in await cloud.rows(audit_entries) if row.action == "export.expired"]

    assert await expired() == []
    await erase(cloud, "enc_unread", rows.clock.now_us())
    assert await expired() == []
    await erase(cloud, encounters[1], rows.clock.now_us() - 3_600_000_000)  # by a machine whose clock is behind
    assert await expired() == ids[:1]
    assert await expired() == ids[:1]
    assert await sweep_once(database, rows.clock, "job_results") == 1
    assert [(await rows.find(job_id, TENANT)).result_object is None for job_id in ids] == [True, False]


async def test_tenants_with_erasures_take_turns_and_each_turn_is_small(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erased_reports, "PAGES_MAX", 2)
    cloud = CloudUnderTest(database)
    rows = JobRows(database)
    archives: dict[str, str] = {}
    for tenant in ("tnt_a", "tnt_b", "tnt_quiet"):
        await add_tenant(database, tenant)
        (archives[tenant],) = await rows.enqueue(kind="export.bulk", payload=REPORTS, tenant_id=tenant)
        result = JobResult(f"results/{tenant}", "application/zip", 2)
        expires_at_us = rows.clock.now_us() + 30 * DAY_US
        await rows.settle(await rows.claim_one(tenant), result=result, result_expires_at_us=expires_at_us)
    for number in range(7):
        await erase(cloud, f"enc_{number}", rows.clock.now_us() + number, "tnt_a")
    await erase(cloud, "enc_b", rows.clock.now_us() + 9, "tnt_b")
    audit = Audit(rows.clock)
    async with database.transaction() as tx:
        for tenant, encounter_id in (("tnt_a", "enc_6"), ("tnt_b", "enc_b")):
            read = {"job": archives[tenant]}
            await audit.record(tx, Actor.operator(tenant), IDENTIFIED_READ, encounter_id, metadata=read)
    chore, order = ErasedReports(rows.clock), list[str]()
    for _ in range(5):
        async with database.transaction() as tx:
            assert await chore.expire(tx, rows.clock.now_us()) <= 2
        ended = [
            name for name, id in archives.items() if (await rows.find(id, name)).result_expires_at_us != expires_at_us
        ]
        order += [name for name in ended if name not in order]
        if ended == ["tnt_b"]:
            first = len(order)
    assert (order, first) == (["tnt_b", "tnt_a"], 1)
    async with database.transaction() as tx:
        assert await chore.expire(tx, rows.clock.now_us()) == 0


async def test_readings_of_an_encounter_are_read_in_pages_over_several_turns(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erased_reports, "PAGES_MAX", 1)
    monkeypatch.setattr(erased_reports, "ENTRIES_AT_ONCE", 2)
    rows = JobRows(database)
    await add_tenant(database, "tnt_a")
    (archive,) = await rows.enqueue(kind="export.bulk", payload=REPORTS)
    result, expires_at_us = JobResult("results/a", "application/zip", 2), rows.clock.now_us() + DAY_US
    await rows.settle(await rows.claim_one(), result=result, result_expires_at_us=expires_at_us)
    await erase(CloudUnderTest(database), "enc_1", rows.clock.now_us(), "tnt_a")
    async with database.transaction() as tx:
        for number in range(5):  # the newest entries come first
            job = archive if number == 0 else f"job_other_{number}"
            await Audit(rows.clock).record(tx, Actor.operator("tnt_a"), IDENTIFIED_READ, "enc_1", metadata={"job": job})
    assert await expire(ErasedReports(rows.clock), rows) == 4
    assert (await rows.find(archive)).result_expires_at_us == rows.clock.now_us()


async def test_erasure_of_an_earlier_time_is_examined_from_its_newest_reading_on(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erased_reports, "PAGES_MAX", 1)
    monkeypatch.setattr(erased_reports, "ENTRIES_AT_ONCE", 2)
    rows, cloud = JobRows(database), CloudUnderTest(database)
    await add_tenant(database, "tnt_a")
    (archive,) = await rows.enqueue(kind="export.bulk", payload=REPORTS)
    result, expires_at_us = JobResult("results/a", "application/zip", 2), rows.clock.now_us() + DAY_US
    await rows.settle(await rows.claim_one(), result=result, result_expires_at_us=expires_at_us)
    await erase(cloud, "enc_1", rows.clock.now_us(), "tnt_a")
    async with database.transaction() as tx:
        for encounter_id, job in (*[("enc_1", "job_other")] * 3, ("enc_0", archive)):
            read = {"job": job}
            await Audit(rows.clock).record(tx, Actor.operator("tnt_a"), IDENTIFIED_READ, encounter_id, metadata=read)
    chore = ErasedReports(rows.clock)
    async with database.transaction() as tx:
        assert await chore.expire(tx, rows.clock.now_us()) == 1
    await erase(cloud, "enc_0", rows.clock.now_us() - 1, "tnt_a")
    await expire(chore, rows)
    assert (await rows.find(archive)).result_expires_at_us == rows.clock.now_us()


async def test_erasures_of_a_tenant_are_found_by_their_time(database: Database) -> None:
    rows = JobRows(database)
    await add_tenant(database, "tnt_a")
    await rows.enqueue(kind="export.bulk", payload=REPORTS)
    result, expires_at_us = JobResult("results/a", "application/zip", 2), rows.clock.now_us() + DAY_US
    await rows.settle(await rows.claim_one(), result=result, result_expires_at_us=expires_at_us)
    since_us = rows.clock.now_us() - 2 * DAY_US
    found = [tombstone(f"enc_{number}", since_us - 2_000 + number, "tnt_a") for number in range(2_000)]
    async with database.transaction() as tx:
        await tx.execute(insert(erased_encounters), found)
    await analyze(database)
    traced = PlanDatabase(database)
    async with traced.transaction() as tx:
        await ErasedReports(rows.clock).expire(tx, rows.clock.now_us())
    index = "ix_erased_encounters_tenant_id_requested_at_us"
    (plan,) = [plan for plan in traced.plans if any(step.table == "erased_encounters" for step in plan.steps)]
    assert "requested_at_us" in plan.condition(index)
