"""`argus-sim`: simulated serial, TCP and Bluetooth devices, captures to play, the demo of the whole product, and
fleets of vehicles.

An error prints one sentence on standard error, and the exit code is 1 (2 for a wrong command line). Commands load only
what they use, so that `--help` is quick.
"""

import asyncio
import gc
import sys
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from simulators.ble.cli import ble
from simulators.command_line import Refusal, address_of, refusing
from simulators.demo.cli import demo
from simulators.demo.environment import env
from simulators.device_cli import Tcp, agent, kinds
from simulators.fleet.cli import fleet

app = typer.Typer(
    name="argus-sim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"argus-sim {version('argus')}")
        raise typer.Exit


@app.callback()
def _options(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Simulated devices for Argus: single ones, from a capture, a whole ambulance, or a fleet."""


def play(
    path: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A wire capture as JSON Lines.")],
    tcp: Tcp = None,
) -> None:
    """Play a wire capture to a manager: the recorded agent's bytes, with responses to the manager's requests.

    Exit code 1 when a connection did not end as recorded.
    """
    with refusing():
        from gateway.transports.capture import read_capture
        from gateway.transports.clock import SystemClock
        from gateway.transports.tcp import connect_tcp
        from simulators.replay.capture_player import play as play_capture

        if tcp is None:
            raise Refusal("the address of the manager is missing: give --tcp HOST:PORT")
        capture, connect = read_capture(path), partial(connect_tcp, *address_of(tcp))
        played = asyncio.run(play_capture(capture, connect, SystemClock(), typer.echo))
    raise typer.Exit(1 if any(connection.trouble for connection in played) else 0)


for command in (agent, kinds, play, demo, env, fleet):
    app.command()(command)
app.add_typer(ble, name="ble")


def main() -> None:
    """Run the console script `argus-sim`."""
    try:
        app()
    except BrokenPipeError:
        # The reader of our output has closed it (`| head`). Nothing may be flushed into the broken pipe at exit.
        sys.stderr.close()
        sys.exit(0)
    finally:
        gc.freeze()  # otherwise the end of the process traverses everything that was loaded
