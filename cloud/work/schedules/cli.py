"""`argus-cloud jobs schedule`: jobs that the service starts for an app at the times of a cron expression.

The other commands of the group are those of `cloud.work.jobs`.
"""

from typing import Annotated, Any

import orjson
import typer

from cloud.foundation.command import AsJson, TenantOption, Workplace, print_json, print_one, print_rows, run
from cloud.foundation.moments import read_moment, write_moment
from cloud.work.jobs import CALLBACKS, job_commands
from cloud.work.schedules.model import DELAY_HOURS, NewSchedule, Schedule, Window
from cloud.work.schedules.service import Schedules
from cloud.work.schedules.showing import shown, shown_run

schedules = typer.Typer(help="Jobs at the times of a schedule, for entitled apps.", no_args_is_help=True)
jobs = job_commands
jobs.add_typer(schedules, name="schedule")

ScheduleArgument = Annotated[str, typer.Argument(help="The schedule's id, sch_….")]


def _service(place: Workplace) -> Schedules:
    callbacks = place.supplies[CALLBACKS](place.settings, place.clock, place.ids)
    return Schedules(place.database, place.clock, place.ids, callbacks)


def _payload(text: str) -> dict[str, Any]:
    try:
        payload = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise typer.BadParameter(f"It is not JSON: {error}", param_hint="--payload") from None
    if not isinstance(payload, dict):
        raise typer.BadParameter("It is not a JSON object.", param_hint="--payload")
    return payload


@schedules.command("add")
def add_schedule(
    context: typer.Context,
    tenant: TenantOption,
    app: Annotated[str, typer.Option("--app", help="The app that the jobs belong to, app_….")],
    name: Annotated[str, typer.Option("--name", help="Display name.")],
    payload: Annotated[str, typer.Option("--payload", help="The payload of the jobs, a JSON object.")],
    cron: Annotated[str, typer.Option("--cron", help="Minute, hour, day of the month, month, day of the week.")],
    time_zone: Annotated[str, typer.Option("--time-zone", help="Such as Europe/Warsaw.")] = "UTC",
    kind: Annotated[str, typer.Option("--kind", help="The kind of the jobs.")] = "export.bulk",
    window: Annotated[
        Window,
        typer.Option("--window", help="since_last: each run continues where the last one ended. none: as the payload."),
    ] = Window.SINCE_LAST,
    delay_hours: Annotated[
        int | None,
        typer.Option(
            "--delay", metavar="HOURS", help=f"A window ends this long before its job. Default: {DELAY_HOURS} hours."
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            "--since", help="Begin of the first window, such as 2026-03-24T00:00:00Z. Default: now, less the delay."
        ),
    ] = None,
    callback_url: Annotated[
        str | None, typer.Option("--callback-url", help="Gets a signed message at the end of each job.")
    ] = None,
    level: Annotated[str, typer.Option("--secrecy-level", help="The jobs read no data above this level.")] = "standard",
    as_json: AsJson = False,
) -> None:
    """Add a schedule. The app needs the scope argus:jobs:schedule and those of the jobs."""
    document = _payload(payload)

    async def add(place: Workplace) -> Schedule:
        new = NewSchedule(
            client_id=app,
            name=name,
            kind=kind,
            payload=document,
            cron=cron,
            time_zone=time_zone,
            window=window,
            delay_hours=delay_hours,
            since_us=None if since is None else read_moment(since),
            secrecy_level=level,
            callback_url=callback_url,
        )
        return await _service(place).add(place.operator(tenant), new)

    made = run(context, add)
    print_one(f"Schedule {made.id} added. {_next(made)}", shown(made), as_json=as_json)


@schedules.command("list")
def list_schedules(context: typer.Context, tenant: TenantOption, as_json: AsJson = False) -> None:
    """List the schedules of a tenant."""
    found = [shown(one) for one in run(context, lambda place: _service(place).list(place.operator(tenant)))]
    if not as_json:
        names = ("id", "name", "client_id", "kind", "cron", "time_zone", "next_at", "pause_reason")
        found = [{name: row[name] for name in names} for row in found]
    print_rows("Schedules", found, as_json=as_json)


@schedules.command("show")
def show_schedule(
    context: typer.Context, schedule: ScheduleArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Show a schedule and its latest runs."""
    found, runs = run(context, lambda place: _service(place).find(place.operator(tenant), schedule))
    document, rows = shown(found), [shown_run(one) for one in runs]
    if as_json:
        print_json({**document, "runs": rows})
        return
    document["payload"] = orjson.dumps(document["payload"]).decode()
    typer.echo("\n".join(f"{name:>20}  {value}" for name, value in document.items() if value is not None))
    print_rows("Runs", rows, as_json=False)


@schedules.command("pause")
def pause_schedule(
    context: typer.Context, schedule: ScheduleArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Pause a schedule. A job that runs continues."""
    changed = run(context, lambda place: _service(place).pause(place.operator(tenant), schedule))
    print_one(f"Schedule {schedule} is paused.", shown(changed), as_json=as_json)


@schedules.command("resume")
def resume_schedule(
    context: typer.Context, schedule: ScheduleArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Resume a schedule with its next time. Its window then has what the pause left out."""
    changed = run(context, lambda place: _service(place).resume(place.operator(tenant), schedule))
    print_one(f"Schedule {schedule} is active. {_next(changed)}", shown(changed), as_json=as_json)


@schedules.command("remove")
def remove_schedule(
    context: typer.Context, schedule: ScheduleArgument, tenant: TenantOption, as_json: AsJson = False
) -> None:
    """Remove a schedule and the list of its runs. Its jobs and their results stay."""
    run(context, lambda place: _service(place).remove(place.operator(tenant), schedule))
    print_one(f"Schedule {schedule} removed.", {"id": schedule, "removed": True}, as_json=as_json)


def _next(schedule: Schedule) -> str:
    return f"Its next time is {write_moment(schedule.next_at_us)}."
