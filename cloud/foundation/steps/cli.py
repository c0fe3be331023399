"""`argus-cloud steps`: list the background steps, or run them while the service is stopped."""

import asyncio
from typing import Any

import typer

from cloud.foundation.command import AsJson, Workplace, print_rows, run
from cloud.foundation.master_key import load_master_key
from cloud.foundation.moments import write_moment
from cloud.foundation.process import Process, Role
from cloud.foundation.slice import declared
from cloud.foundation.step import Step
from cloud.foundation.steps.model import StepState
from cloud.foundation.steps.runner import StepRunner
from cloud.foundation.steps.store import StepStore

steps = typer.Typer(help="Background steps: long work after an upgrade.", no_args_is_help=True)


def _shown(state: StepState) -> dict[str, Any]:
    return {
        "name": state.name,
        "purpose": state.purpose,
        "percent": state.percent,
        "rows_done": state.rows_done,
        "rows": state.rows_total,
        "started_at": state.started_at_us and write_moment(state.started_at_us),
        "finished_at": state.finished_at_us and write_moment(state.finished_at_us),
        "failure": state.failure,
    }


@steps.command("list")
def list_steps(context: typer.Context, as_json: AsJson = False) -> None:
    """List the background steps, finished ones too. A percentage is of an estimate until the step has ended."""

    async def found(place: Workplace) -> list[StepState]:
        async with place.database.read() as tx:
            return list(await StepStore().list(tx))

    print_rows("Background steps", [_shown(state) for state in run(context, found)], as_json=as_json)


@steps.command("run")
def run_steps(context: typer.Context, as_json: AsJson = False) -> None:
    """Run the unfinished steps now, also those that would make requests wait. Stop the service first. May be
    interrupted, and continues when it is run again."""

    async def ended(place: Workplace) -> list[StepState]:
        runner = StepRunner(place.database, place.clock, declared_steps(place), may_pause=True)
        await runner.turn(asyncio.Event(), at_once=True)
        async with place.database.read() as tx:
            return list(await StepStore().list(tx))

    states = run(context, ended)
    print_rows("Background steps", [_shown(state) for state in states], as_json=as_json)
    if any(state.finished_at_us is None for state in states):
        raise typer.Exit(1)


def declared_steps(place: Workplace) -> list[Step]:
    """Return the steps of all slices."""
    process = Process(
        settings=place.settings,
        roles={Role.WORKER},
        database=place.database,
        clock=place.clock,
        ids=place.ids,
        master=lambda: load_master_key(place.settings),
        supplies=place.supplies,
    )
    found = [one.load(one.jobs)(process).steps for one in declared() if one.jobs is not None]
    return [step for steps in found for step in steps]
