"""`argus-sim`: simulated devices, played captures, and the demo of the whole product.

What went wrong is one sentence on standard error and exit code 1 (2: the command line itself was wrong). Commands
load only what they use, so that `--help` answers at once.
"""

import asyncio
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.transports.clock import Clock
    from simulators.agents import Agent, Connect

app = typer.Typer(
    name="argus-sim",
    help="Simulated devices for Argus: one at a time, from a capture, or a whole ambulance.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Framing(StrEnum):
    """How APDUs lie on a serial line."""

    RAW = "raw"
    HDLC = "hdlc"


class Refusal(Exception):
    """A command cannot go on; the text says why and what to do."""


@contextmanager
def refusing() -> Iterator[None]:
    """Turns the simulators' own errors inside the block into a sentence and exit code 1."""
    from gateway.transports.capture import CaptureError
    from simulators.agents import NothingToReplay, UnknownKind
    from simulators.replay.wfdb_header import RecordUnusable
    from simulators.scenarios import UnknownScenario

    ours = (CaptureError, NothingToReplay, RecordUnusable, Refusal, UnknownKind, UnknownScenario, OSError)
    try:
        yield
    except ours as error:
        refused: BaseException = error
    except ExceptionGroup as group:  # of a running agent's tasks
        refused = _first(group)
        if not isinstance(refused, ours):
            raise
    else:
        return
    typer.echo(f"argus-sim: {_sentence(refused)}", err=True)
    raise typer.Exit(1)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


def _sentence(error: BaseException) -> str:
    if not isinstance(error, OSError):
        return str(error)
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error or type(error).__name__}"


Tcp = Annotated[str | None, typer.Option(metavar="HOST:PORT", help="Connect to a manager that listens there.")]


@app.command()
def agent(
    kind: Annotated[str, typer.Argument(help="oximeter, blood-pressure, thermometer, ecg, monitor or defibrillator.")],
    tcp: Tcp = None,
    serial: Annotated[Path | None, typer.Option(help="Speak over this serial port or pseudo-terminal.")] = None,
    framing: Annotated[Framing, typer.Option(help="On a serial line: APDUs as they are, or in frames.")] = Framing.HDLC,
    baud: Annotated[int, typer.Option(min=300, help="Speed of a real serial port.")] = 115_200,
    scenario: Annotated[str, typer.Option(help="stable, deteriorating or cardiac-arrest.")] = "stable",
    seed: Annotated[int, typer.Option(help="The same seed makes the same patient.")] = 42,
    unit: Annotated[int, typer.Option(min=1, max=65535, help="Tells devices of one kind apart.")] = 1,
    witness: Annotated[Path | None, typer.Option(help="Append a line here for each report that was answered.")] = None,
    replay: Annotated[
        Path | None, typer.Option(help="Play this WFDB record (its name without .hea); monitor only.")
    ] = None,
    unconfirmed_waveforms: Annotated[
        bool, typer.Option("--unconfirmed-waveforms", help="Waveforms without confirmation, so they may be lost.")
    ] = False,
    for_s: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop after so many seconds, in order.")] = None,
) -> None:
    """One simulated device. It keeps what it measured until the manager has it, and reconnects by itself."""
    with refusing():
        _log_to_stderr()
        from gateway.transports.clock import SystemClock
        from simulators.agents import AgentOptions, Witness, build_agent
        from simulators.physiology import Patient
        from simulators.replay.wfdb import Record
        from simulators.scenarios import scenario_of

        clock = SystemClock()
        made = build_agent(
            kind,
            Record(replay) if replay is not None else Patient(seed, scenario_of(scenario)),
            _connect(tcp, serial, framing, baud, clock),
            clock,
            witness=None if witness is None else Witness(witness),
            options=AgentOptions(waveforms_confirmed=not unconfirmed_waveforms),
            unit=unit,
        )
        asyncio.run(_run(made, for_s))
        status = made.status
        typer.echo(
            f"{made.name}: {status.measured} reports measured, {status.answered} answered, {status.repeated} repeated, "
            f"{status.waiting} left, {status.dropped} dropped, {status.associations} associations"
        )


@app.command()
def play(
    path: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A wire capture as JSON lines.")],
    tcp: Tcp = None,
) -> None:
    """Play a wire capture at a manager: the recorded agent's octets, reacting to what the manager asks.

    Exit code 1 when a connection did not end as recorded.
    """
    with refusing():
        from gateway.transports.capture import read_capture
        from gateway.transports.clock import SystemClock
        from protocols.ieee11073.specializations import standard_configuration
        from simulators.agents.links import over_tcp
        from simulators.replay.capture_player import play as play_capture

        def standard_octets(config_id: int) -> bytes | None:
            configuration = standard_configuration(config_id)
            return None if configuration is None else configuration.octets

        if tcp is None:
            raise Refusal("say where to play it: --tcp HOST:PORT")
        capture, connect = read_capture(path), over_tcp(*_address(tcp))
        played = asyncio.run(play_capture(capture, connect, SystemClock(), standard_octets, typer.echo))
    raise typer.Exit(1 if any(connection.trouble for connection in played) else 0)


def _connect(tcp: str | None, serial: Path | None, framing: Framing, baud: int, clock: "Clock") -> "Connect":
    from simulators.agents.links import over_serial, over_tcp

    if (tcp is None) == (serial is None):
        raise Refusal("say either --tcp HOST:PORT or --serial PATH")
    if tcp is not None:
        return over_tcp(*_address(tcp))
    return over_serial(str(serial), framing.value, clock, baud=baud)


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise Refusal(f"{text!r} is no HOST:PORT")
    return host.strip("[]"), int(port)


async def _run(made: "Agent", for_s: float | None) -> None:
    loop = asyncio.get_running_loop()
    for each in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(each, made.stop)
    await made.run(for_s)


def _log_to_stderr() -> None:
    import structlog

    # Asked for at each line, because who runs a command in-process may put another stream there.
    structlog.configure(logger_factory=lambda *names: structlog.PrintLogger(sys.stderr))


def _include_demo() -> None:
    from simulators.demo.cli import demo

    app.command()(demo)


_include_demo()


def main() -> None:
    """The console script."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`). Nothing may be flushed into the broken pipe at exit.
        sys.stderr.close()
        sys.exit(0)
