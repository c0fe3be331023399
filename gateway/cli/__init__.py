"""Command line `argus-gateway`: every operation on one vehicle's gateway, for people, systemd and scripts.

Every command that prints facts has `--json` for scripts. Results go to standard output. An error is one sentence on
standard error, with exit code 1 (2 for a wrong command line). Commands import only what they use, so that `--help` is
quick on a small computer.
"""

import gc
import sys
from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.crew_commands import crew_app
from gateway.cli.epcr_commands import epcr_app
from gateway.cli.options import AsJson, config_of
from gateway.cli.refusal import refusing

app = typer.Typer(
    name="argus-gateway",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

devices_app = typer.Typer(help="Devices known to this gateway, and their reports.", add_completion=False)
app.add_typer(devices_app, name="devices")

ble_app = typer.Typer(
    help="Bluetooth devices: scan, pair, list, forget. Only paired devices are used.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(ble_app, name="ble")

app.add_typer(epcr_app, name="epcr")

app.add_typer(crew_app, name="crew")

store_app = typer.Typer(help="Damaged or quarantined stores.", no_args_is_help=True, add_completion=False)
app.add_typer(store_app, name="store")

DEFAULT_THRESHOLDS = gc.get_threshold()
OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""New objects until the garbage collector runs in a command. Loading the largest command makes about 115 000 objects,
and all of them stay: with Python's default of 700 the collector runs 200 times and takes a tenth of the start. Objects
that only the collector can free are rare in a command; so many of them take about 30 MB. `run` sets the default again
before it serves devices."""

DEFAULT_CONFIG = Path("/etc/argus/gateway.toml")
DeviceArgument = Annotated[
    str, typer.Argument(metavar="ID", help="System id in hex, its beginning, or a unique part of the device's name.")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"argus-gateway {version('argus')}")
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    # readable=False here and below: the command that opens a file reports why it cannot.
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The settings file. Write it before the command.", readable=False)
    ] = DEFAULT_CONFIG,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The gateway of one vehicle: from devices to the cloud."""
    context.obj = config


class KnownConfigs(StrEnum):
    """Values of the option `--known-configs`: the device configurations that the manager knows in a replay."""

    STANDARD = "standard"
    NONE = "none"


@app.command()
def provision(
    context: typer.Context,
    as_json: AsJson = False,
    new_store: Annotated[
        bool, typer.Option("--new-store", help="Create a new store although the previous one is lost.")
    ] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Create another signing key. Register it in the cloud afterwards.")
    ] = False,
    crew: Annotated[
        Path | None,
        typer.Option("--crew", help="CSV file of crew members to add: id, name, role.", readable=False),
    ] = None,
) -> None:
    """Create the keys, the store and the crew PIN of this gateway, once, and print its public key for the cloud."""
    with refusing():
        from gateway.cli.provision import provision

        provision(config_of(context), as_json=as_json, new_store=new_store, new_key=new_key, crew=crew)


@app.command()
def run(context: typer.Context) -> None:
    """Serve devices until SIGTERM or SIGINT. For systemd."""
    with refusing():
        from gateway.cli.run import run

        run(config_of(context))


@app.command()
def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show the status: store, lanes, uplink, clock, links."""
    with refusing():
        from gateway.cli.show import show_status

        show_status(config_of(context), as_json=as_json)


@devices_app.callback(invoke_without_command=True)
def devices(context: typer.Context, as_json: AsJson = False) -> None:
    """List the known devices and their connections."""
    if context.invoked_subcommand is not None:
        return
    with refusing():
        from gateway.cli.devices import show_devices

        show_devices(config_of(context), as_json=as_json)


@devices_app.command("show")
def devices_show(context: typer.Context, device: DeviceArgument, as_json: AsJson = False) -> None:
    """Show a device: identity, configuration, clock, counts and deviations from the standard."""
    with refusing():
        from gateway.cli.devices import show_device

        show_device(config_of(context), device, as_json=as_json)


@devices_app.command("accept")
def devices_accept(context: typer.Context, device: DeviceArgument, as_json: AsJson = False) -> None:
    """Accept an unverified device (over TCP). Its values lose the flag unverified_link."""
    with refusing():
        from gateway.cli.devices import judge_device

        judge_device(config_of(context), device, accept=True, as_json=as_json)


@devices_app.command("revoke")
def devices_revoke(context: typer.Context, device: DeviceArgument, as_json: AsJson = False) -> None:
    """Revoke the acceptance of a device. Its values over TCP carry the flag unverified_link again."""
    with refusing():
        from gateway.cli.devices import judge_device

        judge_device(config_of(context), device, accept=False, as_json=as_json)


@app.command()
def ports(context: typer.Context, as_json: AsJson = False) -> None:
    """List the serial ports of this machine, their use in the settings and their state."""
    with refusing():
        from gateway.cli.ports import show_ports

        show_ports(config_of(context), as_json=as_json)


@ble_app.command("scan")
def ble_scan(
    context: typer.Context,
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option("--for", min=0, max=600, help="Duration of the scan in seconds.")] = 10.0,
) -> None:
    """List advertising Bluetooth devices with their services, signal strength and pairing."""
    with refusing():
        from gateway.cli.ble import scan

        scan(config_of(context), seconds=seconds, as_json=as_json)


@ble_app.command("pair")
def ble_pair(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address, as in `ble scan`.")],
    as_json: AsJson = False,
    passkey: Annotated[
        str | None, typer.Option(help="The six digits that the device shows. Default: entered at the prompt.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not prompt. Check the address first.")] = False,
    without_bond: Annotated[
        bool,
        typer.Option(
            "--without-bond",
            help="Use a device that does not bond. Its identity is then not verified.",
        ),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Pair again although the device is paired.")] = False,
) -> None:
    """Pair a Bluetooth device. The gateway connects to a paired device whenever it is in range."""
    with refusing():
        from gateway.cli.ble import pair

        pair(
            config_of(context),
            address,
            passkey=passkey,
            yes=yes,
            without_bond=without_bond,
            again=again,
            as_json=as_json,
        )


@ble_app.command("list")
def ble_list(context: typer.Context, as_json: AsJson = False) -> None:
    """List the paired Bluetooth devices with their connections and problems."""
    with refusing():
        from gateway.cli.ble import list_paired

        list_paired(config_of(context), as_json=as_json)


@ble_app.command("forget")
def ble_forget(
    context: typer.Context,
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="Address, as in `ble list`.")],
    as_json: AsJson = False,
) -> None:
    """Remove a Bluetooth device and its bond."""
    with refusing():
        from gateway.cli.ble import forget

        forget(config_of(context), address, as_json=as_json)


@app.command()
def doctor(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the installation and print remedies. Exit code 1 if there is a fault."""
    with refusing():
        from gateway.cli.doctor import doctor

        healthy = doctor(config_of(context), as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def observations(
    context: typer.Context,
    as_json: AsJson = False,
    device: Annotated[str | None, typer.Option(help="Limit to this device: its system id in hex.")] = None,
    since: Annotated[str | None, typer.Option(help="Start: 2026-05-06T07:08:09Z, or 15m, 2h, 3d ago.")] = None,
    lane: Annotated[str | None, typer.Option(help="Limit to this lane: event, numeric or waveform.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Maximum rows. Default: all as JSON, 500 as a table.")
    ] = None,
) -> None:
    """Print the stored observations, oldest first. With --lane event: the events of this gateway."""
    with refusing():
        from gateway.cli.observations import observations

        observations(config_of(context), as_json=as_json, device=device, since=since, lane=lane, limit=limit)


@store_app.command("recover")
def store_recover(
    context: typer.Context,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The store, or the name of one in the state folder.", readable=False)
    ],
    as_json: AsJson = False,
    output: Annotated[
        Path | None, typer.Option(help="Path of the recovered store. Default: FILE.recovered.", readable=False)
    ] = None,
    observations: Annotated[
        Path | None,
        typer.Option(
            help="Also write the observations to this file as JSON Lines. They are patient data.", readable=False
        ),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Let the running gateway send the batches that the cloud lacks.")
    ] = False,
) -> None:
    """Recover the readable rows of a damaged store and count the others. FILE is not changed."""
    with refusing():
        from gateway.cli.store import recover_store

        recover_store(config_of(context), file, as_json=as_json, output=output, observations=observations, send=send)


@app.command()
def capture(
    context: typer.Context,
    output: Annotated[Path, typer.Argument(help="The new file. It will hold patient data.", readable=False)],
    link: Annotated[str | None, typer.Option(help="Limit to this link, by its name in `status`.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0.1, help="Duration in seconds.")] = None,
    limit_mb: Annotated[int, typer.Option(min=1, max=256, help="Maximum size of the file in MB.")] = 64,
) -> None:
    """Record the traffic of the running gateway's links until Ctrl-C. `replay` reads the file."""
    with refusing():
        from gateway.cli.capture import capture

        capture(config_of(context), output, link=link, seconds=seconds, limit_bytes=limit_mb << 20)


@app.command()
def replay(
    path: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A wire capture as JSON Lines.", readable=False)],
    as_json: AsJson = False,
    known_configs: Annotated[
        KnownConfigs, typer.Option(help="standard: as in operation. none: every device sends its configuration.")
    ] = KnownConfigs.STANDARD,
) -> None:
    """Run a wire capture through the manager and print its observations. Needs no settings and stores nothing."""
    with refusing():
        from gateway.cli.replay import print_replay

        readable = print_replay(path, as_json=as_json, known_configurations=known_configs is KnownConfigs.STANDARD)
    raise typer.Exit(0 if readable else 1)


def main() -> None:
    """Run the console script `argus-gateway`."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    if (command := _command_before_config(sys.argv[1:])) is not None:
        sys.stderr.write(f"argus-gateway: --config comes before the command: argus-gateway --config FILE {command}\n")
        sys.exit(2)
    try:
        app()
    except BrokenPipeError:
        # The reader of our output has closed it (`| head`). Nothing may be flushed into the broken pipe at exit.
        sys.stderr.close()
        sys.exit(0)
    finally:
        gc.freeze()  # otherwise the end of the process traverses everything that was loaded, for a tenth of a second


def _command_before_config(words: Sequence[str]) -> str | None:
    """Return the command that precedes `--config` in `words`, as in unit files of earlier releases, or None."""
    command = next((word for word in words if not word.startswith("-")), None)
    if command is None:
        return None
    later = words[words.index(command) + 1 :]
    return command if any(word == "--config" or word.startswith("--config=") for word in later) else None
