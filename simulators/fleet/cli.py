"""`argus-sim fleet`: many simulated vehicles against one running cloud, to size a machine and to prove that nothing is
lost."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from protocols.uplink.broker import parse_broker_url
from simulators.command_line import Refusal, refusing, stop_on_signals
from simulators.demo.commands import CommandFailed
from simulators.demo.environment import read_demo_file
from simulators.demo.plan import PlanUnusable
from simulators.fleet.plan import FleetUnusable, load_or_make, occupied
from simulators.fleet.profiles import ProfileName

if TYPE_CHECKING:
    from simulators.fleet.app import Fleet
    from simulators.fleet.registration import BrokerPasswords
    from simulators.fleet.summary import Summary

VEHICLES_MAX = 10_000
"""Limit of vehicles in one process, which is far above what one processor core drives."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The cloud and the broker of a fleet. `config` None: no registration, and no comparison at the end. `passwords`
    and `broker_pid` are for a broker without TLS."""

    broker_url: str
    config: Path | None
    ca_file: Path | None = None
    passwords: Path | None = None
    broker_pid: int | None = None

    @property
    def is_secure(self) -> bool:
        return parse_broker_url(self.broker_url)[2]


def fleet(
    vehicles: Annotated[int, typer.Option(min=1, max=VEHICLES_MAX, help="Number of vehicles.")],
    demo: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Use the cloud of the demo that runs with this folder.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(metavar="URL", help="mqtts://HOST:PORT or mqtt://HOST:PORT of the vehicles.")
    ] = None,
    cloud_config: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Settings file of the cloud: registers the vehicles, and compares the counts at the end.",
        ),
    ] = None,
    ca_file: Annotated[
        Path | None, typer.Option(help="Authority of the broker's certificate. Default: the system's.")
    ] = None,
    passwords: Annotated[
        Path | None, typer.Option(help="Password file of mosquitto, for mqtt://. The vehicles are added to it.")
    ] = None,
    broker_pid: Annotated[
        int | None, typer.Option(min=2, help="Process id of that mosquitto, which reads the file again.")
    ] = None,
    state: Annotated[
        Path,
        typer.Option(
            help="Folder for identities and stores, which the next run uses again. For more than fifty vehicles in "
            "memory, such as /dev/shm/fleet."
        ),
    ] = Path("fleet-state"),
    profile: Annotated[
        ProfileName,
        typer.Option(
            help="full: 12-lead ECG, pleth, capnogram, pads, numbers; monitor: without pads; vitals: no waveforms."
        ),
    ] = ProfileName.FULL,
    for_s: Annotated[
        float | None, typer.Option("--for", min=1, help="Seconds in which devices report. Default: until Ctrl-C.")
    ] = None,
    storm_s: Annotated[
        float | None, typer.Option("--storm", min=1, help="Cut all connections every N seconds.")
    ] = None,
    drain_s: Annotated[
        float, typer.Option("--drain", min=1, help="Longest wait in seconds for the last acknowledgements.")
    ] = 60.0,
    rows: Annotated[
        bool, typer.Option("--rows", help="Also compare every stored observation of the cloud at the end; slow.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Run N simulated vehicles with the gateway's own store and uplink against a running cloud.

    Exit code 1 when data is not acknowledged at the end, or differs from what the cloud holds.
    """
    with refusing(*_errors()):
        target = _target(demo, broker, cloud_config, ca_file, passwords, broker_pid)
        if rows and target.config is None:
            raise Refusal("--rows compares with the cloud: give --cloud-config or --demo")
        with occupied(state):
            summary = _run(target, state, vehicles, profile, for_s, storm_s, drain_s, rows)
    if as_json:
        typer.echo(json.dumps(summary.document()))
    else:
        typer.echo("\n".join(summary.lines()))
    raise typer.Exit(0 if summary.is_whole else 1)


def _errors() -> tuple[type[Exception], ...]:
    """Return the errors whose text is for the operator."""
    from gateway.buffer import BufferError as StoreError
    from gateway.security.identity import IdentityUnusable

    return (CommandFailed, FleetUnusable, IdentityUnusable, PlanUnusable, StoreError)


def _target(
    demo: Path | None,
    broker: str | None,
    cloud_config: Path | None,
    ca_file: Path | None,
    passwords: Path | None,
    broker_pid: int | None,
) -> Target:
    """Return the target that the options name. Raises `Refusal` for options that contradict each other."""
    if demo is not None:
        if any(each is not None for each in (broker, cloud_config, ca_file, passwords, broker_pid)):
            raise Refusal("--demo names the cloud and its broker: leave the other options about them out")
        return _demo_target(demo)
    if broker is None:
        raise Refusal("the broker is missing: give --broker URL with --cloud-config FILE, or --demo DIR")
    try:
        secure = parse_broker_url(broker)[2]
    except ValueError as error:
        raise Refusal(f"--broker: {error}") from None
    if secure and (passwords is not None or broker_pid is not None):
        raise Refusal("--passwords and --broker-pid are for a broker without TLS: leave them out with mqtts://")
    if not secure and cloud_config is not None and (passwords is None or broker_pid is None):
        raise Refusal(
            "a broker without TLS checks passwords: give --passwords, the password file of mosquitto, and --broker-pid"
        )
    return Target(broker_url=broker, config=cloud_config, ca_file=ca_file, passwords=passwords, broker_pid=broker_pid)


def _demo_target(demo: Path) -> Target:
    facts = read_demo_file(demo)
    if facts["broker"] != "mosquitto":
        raise Refusal(
            f"the demo's broker is {facts['broker']}, whose users are fixed: install mosquitto and restart the demo"
        )
    return Target(
        broker_url=facts["mqtt_url"],
        config=Path(facts["cloud_config"]),
        passwords=demo / "broker" / "argus-passwords",
        broker_pid=facts["pids"]["broker"],
    )


def _run(
    target: Target,
    state: Path,
    vehicles: int,
    profile: ProfileName,
    for_s: float | None,
    storm_s: float | None,
    drain_s: float,
    rows: bool,
) -> "Summary":
    # Imported here, so that other commands of argus-sim do not load the gateway's store and uplink.
    from simulators.fleet.app import Fleet, FleetOptions
    from simulators.fleet.console import Console
    from simulators.fleet.registration import BrokerPasswords
    from simulators.fleet.running import run_fleet

    _log_errors_only()
    plan = load_or_make(state, vehicles)
    options = FleetOptions(
        broker_url=target.broker_url,
        ca_file=target.ca_file,
        profile=profile,
        for_s=for_s,
        storm_every_s=storm_s,
        drain_s=drain_s,
        rows=rows,
    )
    console = None if target.config is None else Console(target.config)
    made = Fleet(plan, plan.vehicles[:vehicles], options, console, _print_progress)
    secrets = None
    if target.passwords is not None and target.broker_pid is not None:
        secrets = BrokerPasswords(target.passwords, target.broker_pid)
    return run_fleet(_registered_and_run(made, secrets))


async def _registered_and_run(made: "Fleet", passwords: "BrokerPasswords | None") -> "Summary":
    await made.register(passwords)
    # Until here Ctrl-C ends the command at once; an interrupted registration continues with the next run.
    return await made.run(lambda: stop_on_signals(made.stop))


def _print_progress(line: str) -> None:
    typer.echo(f"fleet: {line}", err=True)


def _log_errors_only() -> None:
    """Log to standard error, and only errors: a storm of a thousand vehicles would be ten thousand lines."""
    import logging

    import structlog

    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR),
        logger_factory=lambda *names: structlog.PrintLogger(sys.stderr),
    )
