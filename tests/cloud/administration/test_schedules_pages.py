"""The schedule pages let an administrator add, pause, resume and remove the schedules of entitled apps."""

from sqlalchemy import update

from cloud.access.apps import Apps
from cloud.work.jobs import service_of
from cloud.work.schedules import SCHEDULE
from cloud.work.schedules.starting import ScheduleStarter
from cloud.work.schedules.tables import job_schedules
from tests.builders.administration_desk import Office, office, parts_of
from tests.builders.auth_world import AuthWorld

LIST, NEW = "/admin/schedules", "/admin/schedules/new"
FIELDS = {"name": "Nightly export", "cron": "15 13 * * *", "time_zone": "Europe/Warsaw", "callback_url": ""}
MINUTE_US = 60_000_000


async def entitle(world: AuthWorld) -> None:
    """Register the app `app_research`, which may have schedules."""
    operator = world.home.operator
    await Apps(world.database, world.clock, world.ids).entitle(operator, [SCHEDULE])
    await world.register("research", "argus:epcr:read", "argus:jobs:write", SCHEDULE)


async def add(it: Office) -> str:
    """Add a schedule through the form; return the address of its page."""
    sent = await it.send(NEW, LIST, **FIELDS)
    return str(sent.answered.headers["Location"]).partition("?")[0]


async def start_due(world: AuthWorld) -> int:
    """Let 16 minutes pass, until a minute after the time, and let a worker start what is due."""
    world.clock.advance(us=16 * MINUTE_US)
    starter = ScheduleStarter(world.clock, parts_of(world).shared(service_of))
    async with world.database.transaction() as tx:
        return await starter.start_next(tx, world.clock.now_us())


async def test_administrator_adds_pauses_resumes_and_removes_a_schedule(world_on_either: AuthWorld) -> None:
    async with office(world_on_either) as it:
        assert "No app may have schedules yet" in (await it.ada.get(NEW)).text
        await entitle(it.world)
        assert "There are no schedules here" in (await it.ada.get(LIST)).text
        one = await add(it)
        page = (await it.ada.get(f"{one}?done=schedule_added")).text
        assert "The schedule is added." in page
        assert "No time has come yet." in page
        assert "Delay in hours 24" in page
        assert "15 13 * * * Europe/Warsaw" in (await it.ada.get(LIST)).text
        await it.send(one, f"{one}/pause")
        assert "paused by a person" in (await it.ada.get(one)).text
        await it.send(one, f"{one}/resume")
        assert await start_due(it.world) == 1
        assert "job started" in (await it.ada.get(one)).text
        removed = await it.send(one, f"{one}/remove")
        assert removed.answered.headers["Location"].partition("?")[0] == LIST
        assert "Schedule not found." in (await it.ada.get(one)).text
        for action in ("create", "pause", "resume", "remove"):
            (entry,) = await it.trail(f"schedule.{action}")
            assert entry.trace_id is not None


async def test_stopped_schedule_is_on_the_first_page_with_its_reason_on_its_own(world: AuthWorld) -> None:
    async with office(world) as it:
        await entitle(world)
        one = await add(it)
        await Apps(world.database, world.clock, world.ids).remove(world.home.operator, "app_research")
        assert await start_due(world) == 1
        assert "Nightly export no longer runs" in (await it.ada.get("/admin")).text
        page = (await it.ada.get(one)).text
        assert "The app was removed." in page
        refused = await it.send(one, f"{one}/resume")
        assert "App not found." in refused.text


async def test_schedule_whose_jobs_fail_is_on_the_first_page(world: AuthWorld) -> None:
    async with office(world) as it:
        await entitle(world)
        await add(it)
        assert "starts jobs that fail" not in (await it.ada.get("/admin")).text
        async with world.database.transaction() as tx:
            await tx.execute(update(job_schedules).values(failures=3))
        assert "Nightly export starts jobs that fail" in (await it.ada.get("/admin")).text


async def test_refused_form_keeps_its_fields_and_a_form_sent_twice_adds_one_schedule(world: AuthWorld) -> None:
    async with office(world) as it:
        await entitle(world)
        form = (await it.ada.get(NEW)).form(LIST)
        refused = await it.ada.fill(form, **{**FIELDS, "cron": "*/5 * * * *"})
        assert "The times have the five fields of cron" in refused.text
        again = refused.form(LIST)
        assert again.fields["name"] == "Nightly export"
        await it.ada.fill(again, **FIELDS)
        twice = await it.ada.fill(again, **FIELDS)
        assert twice.status == 409
        assert len(await it.trail("schedule.create")) == 1
