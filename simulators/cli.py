"""`argus-sim`: simulated devices on wires and on air, played captures, and the demo of the whole product.

What went wrong is one sentence on standard error and exit code 1 (2: the command line itself was wrong). Commands
load only what they use, so that `--help` answers at once.
"""

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer

from simulators.ble.cli import ble
from simulators.command_line import Refusal, address_of, refusing
from simulators.demo.cli import demo
from simulators.device_cli import Tcp, agent, kinds

app = typer.Typer(
    name="argus-sim",
    help="Simulated devices for Argus: one at a time, from a capture, or a whole ambulance.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


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
        from simulators.agents.links import over_tcp
        from simulators.replay.capture_player import play as play_capture

        if tcp is None:
            raise Refusal("say where to play it: --tcp HOST:PORT")
        capture, connect = read_capture(path), over_tcp(*address_of(tcp))
        played = asyncio.run(play_capture(capture, connect, SystemClock(), typer.echo))
    raise typer.Exit(1 if any(connection.trouble for connection in played) else 0)


for command in (agent, kinds, play, demo):
    app.command()(command)
app.add_typer(ble, name="ble")


def main() -> None:
    """The console script."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`). Nothing may be flushed into the broken pipe at exit.
        sys.stderr.close()
        sys.exit(0)
