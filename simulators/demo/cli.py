"""`argus-sim demo`: run the whole product on one machine, for people and for scripts."""

import asyncio
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from simulators.command_line import stop_on_signals
from simulators.demo.broker import BrokerChoice
from simulators.demo.commands import CommandFailed
from simulators.demo.configuration import Choices
from simulators.demo.demo_file import DEMO_FILE
from simulators.demo.occupancy import occupied
from simulators.demo.plan import PlanUnusable, load_or_mint
from simulators.demo.readiness import DemoNotReady
from simulators.replay.wfdb import Record
from simulators.replay.wfdb_header import RecordUnusable
from simulators.scenarios import UnknownScenario, scenario_of

if TYPE_CHECKING:
    from simulators.demo.app import Demo

_PAIR = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+):(?P<port>[0-9]{1,5})")


def _pairs(values: list[str] | None) -> list[str] | None:
    """Check the pairs here: the cloud would report an error in its log only."""
    for value in values or ():
        found = _PAIR.fullmatch(value)
        if found is None or not 0 < int(found["port"]) <= 65535:
            raise typer.BadParameter(f"{value!r} is not HOST:PORT, for instance 127.0.0.1:9000 or [::1]:9000")
    return values


def demo(
    state: Annotated[
        Path, typer.Option(help="Folder for the state of the demo, which the next start uses again.")
    ] = Path("demo-state"),
    headless: Annotated[
        bool, typer.Option("--headless", help="Run without a view: write demo.json and print its path.")
    ] = False,
    for_s: Annotated[float | None, typer.Option("--for", min=1, help="Stop cleanly after N seconds.")] = None,
    replay: Annotated[Path | None, typer.Option(help="Play this WFDB record (its name without .hea).")] = None,
    scenario: Annotated[str, typer.Option(help="stable, deteriorating or cardiac-arrest.")] = "stable",
    seed: Annotated[int, typer.Option(help="Seed of the simulated patient.")] = 42,
    no_devices: Annotated[
        bool, typer.Option("--no-devices", help="Run without simulated devices, for your own ones.")
    ] = False,
    unconfirmed_waveforms: Annotated[
        bool, typer.Option("--unconfirmed-waveforms", help="Waveforms without confirmation, so they may be lost.")
    ] = False,
    known_configs: Annotated[str, typer.Option(help="all, or none: every device sends its configuration.")] = "all",
    allow_callback: Annotated[
        list[str] | None,
        typer.Option(
            help="HOST:PORT of a webhook receiver that may be http or loopback. Repeatable.",
            callback=_pairs,
        ),
    ] = None,
    database_url: Annotated[str | None, typer.Option(help="postgresql://… in place of the cloud's SQLite.")] = None,
    broker: Annotated[
        BrokerChoice, typer.Option(help="auto: mosquitto if it is installed, else iotcore.")
    ] = BrokerChoice.AUTO,
    crew_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the crew page.")] = None,
    agent_port: Annotated[int | None, typer.Option(min=1, max=65535, help="Port of the listener for devices.")] = None,
) -> None:
    """Run one simulated ambulance with its cloud until Ctrl-C."""
    # Only here: an installation without the extra `demo` has no virtual radio, and its other commands need none.
    from simulators.demo.app import Demo, Wishes

    ports = {name: port for name, port in (("crew", crew_port), ("agent_tcp", agent_port)) if port is not None}
    wishes = Wishes(
        choices=Choices(
            database_url=database_url,
            allow_callback=tuple(allow_callback or ()),
            known_configurations=known_configs != "none",
            broker=broker,
        ),
        for_s=for_s,
        replay=replay,
        scenario=scenario,
        with_devices=not no_devices,
        waveforms_confirmed=not unconfirmed_waveforms,
    )
    console = Console(stderr=headless)
    try:
        # Checked here, before the set-up: the process of the devices would report it in its log only.
        scenario_of(scenario)
        if replay is not None:
            Record(replay).close()
        with occupied(state.resolve()) as held:
            plan = load_or_mint(state, seed=seed, ports_given=ports)
            running = Demo(plan, wishes, lambda step: console.print(f"demo: {step}", markup=False), inherited=(held,))
            asyncio.run(_run(running, console, headless))
    except* (CommandFailed, DemoNotReady, PlanUnusable, UnknownScenario, RecordUnusable, OSError) as group:
        for error in group.exceptions:
            typer.echo(f"argus-sim: {error}", err=True)
        sys.exit(1)


async def _run(demo: "Demo", console: Console, headless: bool) -> None:
    from simulators.demo.view import View  # as in `demo`

    stop_on_signals(demo.stop)
    views: list[asyncio.Task[None]] = []

    def watched(ready: "Demo") -> None:
        if headless:
            typer.echo(f"demo: ready; the addresses and credentials are in {demo.plan.file(DEMO_FILE)}", err=True)
        else:
            views.append(asyncio.ensure_future(View(ready, console).run()))

    try:
        await demo.run(watched)
    finally:
        for view in views:
            view.cancel()
