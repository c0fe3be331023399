"""A schedule is added only for an app that may start its jobs, within limits, and each change is audited."""

from typing import Any

import pytest

from cloud.access.apps import AppUnknown, ClearanceExceeded
from cloud.foundation.http import BodyMalformed
from cloud.foundation.viewer import Actor
from cloud.work.jobs import job_kinds
from cloud.work.schedules import SCHEDULE, Window
from cloud.work.schedules import service as schedule_service
from cloud.work.schedules.errors import (
    KindNotScheduled,
    ScheduleNameMalformed,
    ScheduleNotEntitled,
    ScheduleUnknown,
    ScopesMissing,
    TooManySchedules,
    WindowMalformed,
)
from cloud.work.schedules.store import RUNS_KEPT
from tests.builders.cloud_people import NOON_US
from tests.builders.schedule_desk import READ, SCOPES, ScheduleDesk


async def test_schedule_needs_the_entitlement_and_the_scopes_of_its_jobs(desk: ScheduleDesk) -> None:
    await desk.register("app_plain", READ, "argus:jobs:write")
    await desk.register("app_narrow", "argus:jobs:write", SCHEDULE)
    with pytest.raises(ScheduleNotEntitled):
        await desk.add(client_id="app_plain")
    with pytest.raises(ScopesMissing, match=READ):
        await desk.add(client_id="app_narrow")
    await desk.apps.govern(desk.home.operator, "app_north", {"allowed_scopes": [READ, "argus:jobs:write"]})
    with pytest.raises(ScheduleNotEntitled):
        await desk.add()
    assert await desk.schedules.list(desk.home.operator) == []


INVALID: tuple[tuple[dict[str, Any], type[Exception]], ...] = (
    ({"name": "  "}, ScheduleNameMalformed),
    ({"name": "x" * 101}, ScheduleNameMalformed),
    ({"name": "line\nbreak"}, ScheduleNameMalformed),
    ({"client_id": "app_none"}, AppUnknown),
    ({"kind": "export.bulky"}, BodyMalformed),
    ({"kind": "intelligence.enrich.bulk", "payload": {}}, KindNotScheduled),
    ({"payload": {"data": "encounters", "format": "pdf"}}, BodyMalformed),
    ({"payload": {"data": "encounters", "format": "nemsis"}}, BodyMalformed),
    ({"payload": {"data": "encounters", "format": "csv", "until": "2026-03-24T00:00:00Z"}}, WindowMalformed),
    ({"since_us": NOON_US + 1}, WindowMalformed),
    ({"since_us": NOON_US - 1, "window": Window.NONE}, WindowMalformed),
    ({"since_us": NOON_US - 1, "delay_hours": 1}, WindowMalformed),
    ({"delay_hours": -1}, WindowMalformed),
    ({"delay_hours": 721}, WindowMalformed),
    ({"delay_hours": 1, "window": Window.NONE}, WindowMalformed),
    ({"secrecy_level": "secret"}, ClearanceExceeded),
)


async def test_invalid_schedule_is_refused(desk: ScheduleDesk) -> None:
    for values, refusal in INVALID:
        with pytest.raises(refusal):
            await desk.add(**values)
    assert await desk.schedules.list(desk.home.operator) == []


def test_kinds_that_can_be_scheduled_need_no_admission_of_a_request() -> None:
    scheduled = [kind for kind in job_kinds().values() if kind.window is not None]
    assert {kind.name for kind in scheduled} == {"export.bulk", "graph.compute"}
    assert all(kind.admission is None for kind in scheduled)
    assert all(set(kind.window or ()) <= set(kind.payload.model_fields) for kind in scheduled)


async def test_first_window_may_begin_in_the_past(desk: ScheduleDesk) -> None:
    schedule = await desk.add(since_us=desk.clock.now_us() - 86_400_000_000)
    await desk.start_due("2026-03-25T02:01:00Z")
    assert await desk.windows(schedule) == [("23 12:00", "25 02:00")]


async def test_number_of_schedules_of_an_app_and_of_a_tenant_is_limited(
    desk: ScheduleDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule_service, "SCHEDULES_OF_APP_MAX", 1)
    monkeypatch.setattr(schedule_service, "SCHEDULES_MAX", 2)
    await desk.register("app_second", *SCOPES)
    await desk.register("app_third", *SCOPES)
    first = await desk.add()
    await desk.add(client_id="app_second")
    with pytest.raises(TooManySchedules, match="An app"):
        await desk.add()
    with pytest.raises(TooManySchedules, match="A tenant"):
        await desk.add(client_id="app_third")
    await desk.schedules.remove(desk.home.operator, first.id)
    await desk.add(client_id="app_third")


async def test_schedule_is_found_only_by_who_may_see_it(desk: ScheduleDesk) -> None:
    schedule = await desk.add()
    assert [one.id for one in await desk.schedules.list(desk.home.viewer)] == [schedule.id]
    for stranger in (Actor.operator("tnt_south"), Actor("tnt_north", "org_other", subject="usr_2")):
        assert await desk.schedules.list(stranger) == []
        with pytest.raises(ScheduleUnknown):
            await desk.schedules.find(stranger, schedule.id)
        for change in (desk.schedules.pause, desk.schedules.resume, desk.schedules.remove):
            with pytest.raises(ScheduleUnknown):
                await change(stranger, schedule.id)


async def test_every_change_is_audited_with_its_actor(desk: ScheduleDesk) -> None:
    ada = Actor("tnt_north", None, subject="usr_ada")
    schedule = await desk.add()
    await desk.schedules.pause(ada, schedule.id)
    assert (await desk.schedules.pause(ada, schedule.id)).pause_reason == "requested"
    await desk.schedules.resume(ada, schedule.id)
    await desk.schedules.resume(ada, schedule.id)
    await desk.schedules.remove(ada, schedule.id)
    with pytest.raises(ScheduleUnknown):
        await desk.schedules.remove(ada, schedule.id)
    created = {"app": "app_north", "kind": "export.bulk", "cron": "0 3 * * *", "time_zone": "Europe/Warsaw"}
    assert await desk.trail("schedule.create") == [("operator", created)]
    assert await desk.trail("schedule.pause") == [("usr_ada", {"reason": "requested"})]
    assert len(await desk.trail("schedule.resume")) == 1
    assert len(await desk.trail("schedule.remove")) == 1


async def test_runs_of_a_schedule_are_limited(desk: ScheduleDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cloud.work.schedules.store.RUNS_KEPT", 2)
    schedule = await desk.add()
    for day in range(25, 29):
        await desk.start_due(f"2026-03-{day}T02:01:00Z")
    assert len(await desk.runs(schedule)) == 2 < RUNS_KEPT
