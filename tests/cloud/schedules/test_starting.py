"""A worker starts one job at each time of a schedule, and successive jobs export each encounter once."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from cloud.access.apps import Wanted as WantedApp
from cloud.clinical.epcr import Epcr
from cloud.clinical.nemsis import REGISTRY
from cloud.foundation.db import DatabaseUnavailable, Transaction
from cloud.foundation.errors import DomainError
from cloud.foundation.findings import Level
from cloud.foundation.viewer import Actor
from cloud.work.jobs import Job, JobService, JobStatus, Wanted
from cloud.work.jobs.errors import JobUnknown
from cloud.work.schedules import SCHEDULE, Window, schedule_findings
from tests.builders.schedule_desk import READ, SCOPES, ScheduleDesk


class Killed(Exception):
    """The worker was killed before its commit."""


async def start_and_die(desk: ScheduleDesk) -> None:
    async with desk.database.transaction() as tx:
        assert await desk.starter().start_next(tx, desk.clock.now_us()) == 1
        raise Killed


async def test_job_of_a_time_belongs_to_the_app_and_has_the_window_up_to_the_time(desk: ScheduleDesk) -> None:
    schedule = await desk.add(callback_url="https://93.184.216.34/done")
    assert await desk.start_due("2026-03-25T02:00:59Z") == 0
    assert await desk.start_due("2026-03-25T02:01:00Z") == 1
    (job,) = await desk.jobs()
    assert (job.client_id, job.organization_id, job.subject) == ("app_north", "org_north", schedule.id)
    assert job.callback_url == "https://93.184.216.34/done"
    assert (await desk.rows.claim_one("tnt_north")).payload == (
        '{"data":"encounters","format":"ndjson","since":"2026-03-24T12:00:00.000000Z",'
        '"until":"2026-03-25T02:00:00.000000Z"}'
    )
    assert [(run.job_id, run.missed) for run in await desk.runs(schedule)] == [(job.id, 0)]
    assert await desk.trail("job.enqueue") == [(schedule.id, {"kind": "export.bulk"})]


async def test_concurrent_workers_start_one_job_for_each_schedule_and_time(desk: ScheduleDesk) -> None:
    for _ in range(3):
        await desk.add()
    desk.move_to("2026-03-25T02:01:00Z")
    assert sum(await asyncio.gather(*(desk.start_next() for _ in range(8)))) >= 3
    while await desk.start_next():
        pass
    assert len(await desk.jobs()) == 3


async def test_time_of_a_killed_worker_starts_one_job(desk: ScheduleDesk) -> None:
    schedule = await desk.add()
    desk.move_to("2026-03-25T02:01:00Z")
    with pytest.raises(Killed):
        await start_and_die(desk)
    assert await desk.jobs() == []
    assert await desk.start_due("2026-03-25T02:02:00Z") == 1
    assert await desk.start_due("2026-03-25T02:03:00Z") == 0
    (run,) = await desk.runs(schedule)
    assert [job.id for job in await desk.jobs()] == [run.job_id]


async def test_windows_have_what_a_failure_a_pause_and_an_outage_left_out(desk: ScheduleDesk) -> None:
    schedule = await desk.add()
    await desk.start_due("2026-03-25T02:01:00Z")
    await desk.end_job()
    await desk.start_due("2026-03-26T02:01:00Z")
    await desk.end_job(JobStatus.FAILED)
    await desk.start_due("2026-03-27T02:01:00Z")
    await desk.end_job()
    await desk.schedules.pause(desk.home.operator, schedule.id)
    assert await desk.start_due("2026-03-28T02:01:00Z") == 0
    await desk.schedules.resume(desk.home.operator, schedule.id)
    assert await desk.start_due("2026-03-28T12:00:00Z") == 0, "a time of the pause is not made up for"
    await desk.start_due("2026-03-29T01:01:00Z")
    await desk.end_job()
    assert await desk.start_due("2026-04-02T12:00:00Z") == 1, "only the latest missed time starts a job"
    assert await desk.windows(schedule) == [
        ("24 12:00", "25 02:00"),
        ("25 02:00", "26 02:00"),
        ("25 02:00", "27 02:00"),
        ("27 02:00", "29 01:00"),
        ("29 01:00", "02 01:00"),
    ]
    assert [run.missed for run in await desk.runs(schedule)] == [0, 0, 0, 0, 3]


async def test_time_is_skipped_while_the_job_before_runs_and_its_window_follows(desk: ScheduleDesk) -> None:
    schedule = await desk.add()
    for day in (25, 26):
        assert await desk.start_due(f"2026-03-{day}T02:01:00Z") == 1
    await desk.end_job()
    await desk.start_due("2026-03-27T02:01:00Z")
    assert [run.outcome.value for run in await desk.runs(schedule)] == ["started", "busy", "started"]
    assert await desk.windows(schedule) == [("24 12:00", "25 02:00"), ("25 02:00", "27 02:00")]


async def test_schedule_without_windows_repeats_its_payload(desk: ScheduleDesk) -> None:
    payload = {"data": "encounters", "format": "csv", "since": "2026-03-01T00:00:00Z"}
    schedule = await desk.add(window=Window.NONE, payload=payload)
    await desk.start_due("2026-03-25T02:01:00Z")
    leased = await desk.rows.claim_one("tnt_north")
    assert leased.payload == '{"data":"encounters","format":"csv","since":"2026-03-01T00:00:00Z"}'
    assert await desk.windows(schedule) == [(None, None)]


async def test_exports_of_successive_nights_have_each_encounter_once(desk: ScheduleDesk) -> None:
    epcr = Epcr(desk.database, desk.clock, desk.parts.ids)

    async def begin(moment: str, encounter_id: str) -> None:
        desk.move_to(moment)
        where = {"organization_id": desk.home.organization.id, "vehicle_id": desk.home.vehicle.id}
        await epcr.begin(desk.home.operator, **where, id=encounter_id)

    schedule = await desk.add()
    await begin("2026-03-25T01:59:59.999999Z", "enc_before")
    await begin("2026-03-25T02:00:00Z", "enc_at")
    for night in (25, 26):
        await desk.start_due(f"2026-03-{night}T02:01:00Z")
        await desk.work()
    first, second = [await desk.file(job) for job in await desk.jobs()]
    assert [name in first for name in ("enc_north", "enc_before", "enc_at")] == [True, True, False]
    assert [name in second for name in ("enc_north", "enc_before", "enc_at")] == [False, False, True]
    assert (await desk.find(schedule)).due_at_us is not None


@pytest.mark.parametrize("nights", [1, 2], ids=["behind its last job", "behind its last exported window"])
async def test_schedule_resumed_after_the_clock_was_ahead_waits_for_the_end_of_its_last_window(
    desk: ScheduleDesk, nights: int
) -> None:
    schedule = await desk.add()
    for night in range(nights):
        await desk.start_due(f"2026-04-{25 + night}T01:01:00Z")
        await desk.end_job()
    desk.move_to("2026-03-25T12:00:00Z")
    await desk.schedules.pause(desk.home.operator, schedule.id)
    await desk.schedules.resume(desk.home.operator, schedule.id)
    for day in (26, 27):
        await desk.start_due(f"2026-03-{day}T02:01:00Z")
    assert (await desk.find(schedule)).pause_reason is None
    assert len(await desk.jobs()) == nights
    await desk.start_due(f"2026-04-{25 + nights}T01:01:00Z")
    windows = [("24 12:00", "25 01:00"), ("25 01:00", "26 01:00"), ("26 01:00", "27 01:00")]
    assert await desk.windows(schedule) == windows[: nights + 1]


async def test_windows_end_a_day_before_their_jobs_by_default(desk: ScheduleDesk) -> None:
    schedule = await desk.add(delay_hours=None)
    for day in (25, 26):
        await desk.start_due(f"2026-03-{day}T02:01:00Z")
        await desk.end_job()
    await desk.schedules.pause(desk.home.operator, schedule.id)
    await desk.schedules.resume(desk.home.operator, schedule.id)
    assert await desk.windows(schedule) == [("23 12:00", "24 02:00"), ("24 02:00", "25 02:00")]


async def test_encounter_that_has_just_begun_is_exported_after_the_delay(desk: ScheduleDesk) -> None:
    epcr = Epcr(desk.database, desk.clock, desk.parts.ids)
    await desk.add(delay_hours=24)
    desk.move_to("2026-03-25T01:50:00Z")
    where = {"organization_id": desk.home.organization.id, "vehicle_id": desk.home.vehicle.id}
    await epcr.begin(desk.home.operator, **where, id="enc_running")
    for night in (25, 26):
        await desk.start_due(f"2026-03-{night}T02:01:00Z")
        await desk.work()
    first, second = [await desk.file(job) for job in await desk.jobs()]
    assert ["enc_running" in file for file in (first, second)] == [False, True]


async def remove_app(desk: ScheduleDesk) -> None:
    await desk.apps.remove(desk.home.operator, "app_north")


async def end_entitlement(desk: ScheduleDesk) -> None:
    await desk.apps.entitle(desk.home.operator, [])


async def approve_less(desk: ScheduleDesk) -> None:
    await desk.apps.approve(desk.home.operator, "app_north", [READ, SCHEDULE], by_operator=True)


async def withhold(desk: ScheduleDesk) -> None:
    await desk.apps.withhold(desk.home.operator, [READ])


async def forbid_host(desk: ScheduleDesk) -> None:
    await desk.apps.govern(desk.home.operator, "app_north", {"allowed_webhook_hosts": ["partner.example"]})


@pytest.mark.parametrize(
    ("lose", "reason"),
    [
        (remove_app, "app_removed"),
        (end_entitlement, "schedule_not_entitled"),
        (approve_less, "schedule_scopes_missing"),
        (withhold, "schedule_scopes_missing"),
        (forbid_host, "webhook_host_not_allowed"),
    ],
)
async def test_schedule_is_paused_with_the_reason_when_its_app_has_lost_its_rights(
    desk: ScheduleDesk, lose: Callable[[ScheduleDesk], Awaitable[None]], reason: str
) -> None:
    schedule = await desk.add(callback_url="https://93.184.216.34/done")
    await lose(desk)
    assert await desk.start_due("2026-03-25T02:01:00Z") == 1
    paused = await desk.find(schedule)
    assert (paused.due_at_us, paused.pause_reason, await desk.jobs()) == (None, reason, [])
    assert await desk.trail("schedule.pause") == [(schedule.id, {"reason": reason})]
    (finding,) = await schedule_findings(desk.database, desk.clock)
    assert finding.level is Level.WARNING
    assert finding.sentence.startswith("1 schedules are paused")
    assert [one.id for one in await desk.schedules.list_stopped(desk.home.operator, count=5)] == [schedule.id]
    if lose is withhold:
        await desk.apps.withhold(desk.home.operator, [])
        await desk.apps.approve(desk.home.operator, "app_north", SCOPES, by_operator=True)
        await desk.schedules.resume(desk.home.operator, schedule.id)
        assert await desk.start_due("2026-03-26T02:01:00Z") == 1
        assert await desk.windows(schedule) == [("24 12:00", "26 02:00")]


async def test_lost_scope_that_is_not_public_is_the_reason_of_the_pause(desk: ScheduleDesk) -> None:
    await desk.apps.entitle(desk.home.operator, [SCHEDULE, REGISTRY])
    await desk.register("app_registry", SCHEDULE, REGISTRY, "argus:jobs:write")
    schedule = await desk.add(client_id="app_registry", payload={"data": "encounters", "format": "nemsis"})
    await desk.apps.entitle(desk.home.operator, [SCHEDULE])
    await desk.start_due("2026-03-25T02:01:00Z")
    assert (await desk.find(schedule)).pause_reason == "schedule_scopes_missing"


async def test_full_queue_delays_a_time_and_loses_none(desk: ScheduleDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    schedule = await desk.add()
    await desk.rows.enqueue(tenant_id="tnt_north")
    monkeypatch.setattr("cloud.work.jobs.service.QUEUED_MAX", 1)
    assert await desk.start_due("2026-03-25T02:01:00Z") == 1
    assert await desk.runs(schedule) == []
    monkeypatch.undo()
    assert await desk.start_due("2026-03-25T02:01:59Z") == 0
    assert await desk.start_due("2026-03-25T02:02:00Z") == 1
    assert await desk.windows(schedule) == [("24 12:00", "25 02:00")]


@pytest.mark.parametrize("error", [DatabaseUnavailable, JobUnknown])
async def test_schedule_that_fails_is_delayed_and_holds_back_no_other(
    desk: ScheduleDesk, monkeypatch: pytest.MonkeyPatch, error: type[DomainError]
) -> None:
    await desk.register("app_other", *SCOPES)
    failing, other = await desk.add(), await desk.add(client_id="app_other")
    enqueue = JobService.enqueue

    async def fail_for_north(service: JobService, tx: Transaction, actor: Actor, wanted: Wanted) -> Job:
        if actor.client_id == "app_north":
            raise error
        return await enqueue(service, tx, actor, wanted)

    monkeypatch.setattr(JobService, "enqueue", fail_for_north)
    assert await desk.start_due("2026-03-25T02:01:00Z") == 2
    assert [len(await desk.runs(one)) for one in (failing, other)] == [0, 1]
    monkeypatch.undo()
    assert await desk.start_due("2026-03-25T02:02:00Z") == 1
    assert await desk.windows(failing) == [("24 12:00", "25 02:00")]


async def test_time_that_has_a_run_starts_nothing(desk: ScheduleDesk) -> None:
    """The clock was a day ahead, and is corrected."""
    schedule = await desk.add(window=Window.NONE)
    await desk.start_due("2026-03-26T02:01:00Z")
    await desk.end_job()
    desk.move_to("2026-03-25T12:00:00Z")
    await desk.schedules.pause(desk.home.operator, schedule.id)
    await desk.schedules.resume(desk.home.operator, schedule.id)
    assert await desk.start_due("2026-03-26T02:01:00Z") == 1
    assert (len(await desk.jobs()), len(await desk.runs(schedule))) == (1, 1)
    await desk.start_due("2026-03-27T02:01:00Z")
    assert (len(await desk.jobs()), len(await desk.runs(schedule))) == (2, 2)


async def test_doctor_reports_a_schedule_that_a_full_queue_holds_back(
    desk: ScheduleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.add()
    await desk.rows.enqueue(tenant_id="tnt_north")
    monkeypatch.setattr("cloud.work.jobs.service.QUEUED_MAX", 1)
    for minute in range(1, 13):
        assert await desk.start_due(f"2026-03-25T02:{minute:02}:00Z") == 1
    (finding,) = await schedule_findings(desk.database, desk.clock)
    assert (finding.level, "12 minutes" in finding.sentence) == (Level.WARNING, True)


async def test_schedule_is_reported_from_its_third_failed_job_until_one_succeeds(desk: ScheduleDesk) -> None:
    schedule = await desk.add()
    reported = []
    failed, succeeded, cancelled = JobStatus.FAILED, JobStatus.SUCCEEDED, JobStatus.CANCELLED
    ends = (failed, succeeded, failed, failed, cancelled, failed, succeeded, failed)
    for day, end in enumerate(ends, 1):
        await desk.start_due(f"2026-04-{day:02}T01:01:00Z")
        if end is cancelled:
            await desk.rows.cancel((await desk.jobs())[-1].id, "tnt_north")
        else:
            await desk.end_job(end)
        (finding,) = await schedule_findings(desk.database, desk.clock)
        found = await desk.schedules.list_failing(desk.home.viewer, count=5)
        assert ("have failed" in finding.sentence) is (schedule.id in finding.sentence) is bool(found)
        reported.append(bool(found))
    assert reported == [False, False, False, False, False, True, False, False]


async def test_doctor_reports_a_schedule_that_no_worker_serves(desk: ScheduleDesk) -> None:
    await desk.add()

    async def levels(moment: str) -> list[Any]:
        desk.move_to(moment)
        return [finding.level for finding in await schedule_findings(desk.database, desk.clock)]

    assert await levels("2026-03-25T02:10:00Z") == [Level.OK]
    assert await levels("2026-03-25T02:12:00Z") == [Level.WARNING]


async def test_jobs_of_a_secret_schedule_are_hidden_from_lower_callers(desk: ScheduleDesk) -> None:
    wanted = WantedApp(name="cleared", scopes=SCOPES, client_id="app_cleared", clearance=desk.home.operator.clearance)
    await desk.apps.register(desk.home.operator, wanted, by_operator=True)
    schedule = await desk.add(client_id="app_cleared", secrecy_level="secret")
    await desk.start_due("2026-03-25T02:01:00Z")
    (job,) = await desk.jobs()
    assert (job.secrecy_level.word, job.organization_id) == ("secret", None)
    assert await desk.schedules.list(desk.home.viewer) == []
    assert [run.job_id for run in await desk.runs(schedule)] == [job.id]
