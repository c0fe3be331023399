"""`argus-gateway`: everything that is done to one vehicle's gateway, by hand, by systemd or by a script.

Every command that prints facts has `--json` for scripts; what a person reads goes to standard output, what went wrong
to standard error in one sentence, with exit code 1 (2: the command line itself was wrong). Commands load only what they
use, so that `--help` answers at once on a small computer.
"""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.refusal import refusing

app = typer.Typer(
    name="argus-gateway",
    help="The gateway of one vehicle: devices to buffer to cloud.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

devices_app = typer.Typer(help="The devices that this gateway has met, and the report of each.", add_completion=False)
app.add_typer(devices_app, name="devices")

ble_app = typer.Typer(
    help="Bluetooth devices: who is there, pairing, and which are paired. A device is used only after it was paired.",
    no_args_is_help=True,
    add_completion=False,
)
app.add_typer(ble_app, name="ble")

store_app = typer.Typer(help="Stores that were damaged or set aside.", no_args_is_help=True, add_completion=False)
app.add_typer(store_app, name="store")

DEFAULT_CONFIG = Path("/etc/argus/gateway.toml")
# readable=False here and below: that a file cannot be read is told by whoever reads it, in our words.
Config = Annotated[Path, typer.Option("--config", "-c", help="The settings file.", show_default=True, readable=False)]
OwnConfig = Annotated[Path | None, typer.Option("--config", "-c", help="The settings file.", readable=False)]
DeviceArgument = Annotated[
    str, typer.Argument(metavar="ID", help="System id in hex, its beginning, or the device's name, if that is one.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


class KnownConfigs(StrEnum):
    """What the manager of a replay takes for granted."""

    STANDARD = "standard"
    NONE = "none"


@app.command()
def provision(
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    new_store: Annotated[
        bool, typer.Option("--new-store", help="Begin a new history although the old is gone.")
    ] = False,
    new_key: Annotated[
        bool, typer.Option("--new-key", help="Make another signing key; register it in the cloud afterwards.")
    ] = False,
) -> None:
    """Make this gateway's keys, store and crew PIN, once, and print its public key for the cloud."""
    with refusing():
        from gateway.cli.provision import provision

        provision(config, as_json=as_json, new_store=new_store, new_key=new_key)


@app.command()
def run(config: Config = DEFAULT_CONFIG) -> None:
    """Serve devices until SIGTERM or SIGINT. What systemd starts."""
    with refusing():
        from gateway.cli.run import run

        run(config)


@app.command()
def status(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """How the gateway is: store, lanes, uplink, clock, links."""
    with refusing():
        from gateway.cli.show import show_status

        show_status(config, as_json=as_json)


@devices_app.callback(invoke_without_command=True)
def devices(context: typer.Context, config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """The devices that this gateway has met, and which are connected now."""
    context.obj = config
    if context.invoked_subcommand is not None:
        return
    with refusing():
        from gateway.cli.devices import show_devices

        show_devices(config, as_json=as_json)


@devices_app.command("show")
def devices_show(
    context: typer.Context, device: DeviceArgument, config: OwnConfig = None, as_json: AsJson = False
) -> None:
    """What is known of one device: identity, configuration, clock, counts, and every deviation from the standard."""
    with refusing():
        from gateway.cli.devices import show_device

        show_device(config or context.obj, device, as_json=as_json)


@devices_app.command("accept")
def devices_accept(
    context: typer.Context, device: DeviceArgument, config: OwnConfig = None, as_json: AsJson = False
) -> None:
    """Accept a device that only its own word identifies (over TCP): its values lose the flag unverified_link."""
    with refusing():
        from gateway.cli.devices import judge_device

        judge_device(config or context.obj, device, accept=True, as_json=as_json)


@devices_app.command("revoke")
def devices_revoke(
    context: typer.Context, device: DeviceArgument, config: OwnConfig = None, as_json: AsJson = False
) -> None:
    """Take the acceptance of a device back: its values over TCP carry the flag unverified_link again."""
    with refusing():
        from gateway.cli.devices import judge_device

        judge_device(config or context.obj, device, accept=False, as_json=as_json)


@app.command()
def ports(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """The serial ports of this machine: their names, which of them the settings use, and how those are."""
    with refusing():
        from gateway.cli.ports import show_ports

        show_ports(config, as_json=as_json)


@ble_app.command("scan")
def ble_scan(
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    seconds: Annotated[float, typer.Option("--for", min=0, max=600, help="Look for so many seconds.")] = 10.0,
) -> None:
    """The Bluetooth devices that are heard: what they offer, how near they are, which are paired."""
    with refusing():
        from gateway.cli.ble import scan

        scan(config, seconds=seconds, as_json=as_json)


@ble_app.command("pair")
def ble_pair(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `ble scan` shows it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    passkey: Annotated[
        str | None, typer.Option(help="The six digits that the device shows; without it you are asked for them.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Ask nothing. Be sure of the address.")] = False,
    without_bond: Annotated[
        bool,
        typer.Option(
            "--without-bond",
            help="Take a device that does not bond. Nothing then proves that it is the same one each time.",
        ),
    ] = False,
    again: Annotated[bool, typer.Option("--again", help="Pair it anew although it is paired and seems well.")] = False,
) -> None:
    """Pair a Bluetooth device, so that it is used from now on, whenever it is there."""
    with refusing():
        from gateway.cli.ble import pair

        pair(config, address, passkey=passkey, yes=yes, without_bond=without_bond, again=again, as_json=as_json)


@ble_app.command("list")
def ble_list(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """The paired Bluetooth devices: connected or not, and what stands in the way."""
    with refusing():
        from gateway.cli.ble import list_paired

        list_paired(config, as_json=as_json)


@ble_app.command("forget")
def ble_forget(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="As `ble list` shows it.")],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
) -> None:
    """Use a Bluetooth device no more, and drop the keys that were shared with it."""
    with refusing():
        from gateway.cli.ble import forget

        forget(config, address, as_json=as_json)


@app.command()
def doctor(config: Config = DEFAULT_CONFIG, as_json: AsJson = False) -> None:
    """Look for what is wrong or unwise, and say what to do. Exit code 1 when something is wrong."""
    with refusing():
        from gateway.cli.doctor import doctor

        healthy = doctor(config, as_json=as_json)
    raise typer.Exit(0 if healthy else 1)


@app.command()
def observations(
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    device: Annotated[str | None, typer.Option(help="Only this device: its system id in hex.")] = None,
    since: Annotated[str | None, typer.Option(help="Received since: 2026-05-06T07:08:09Z, or 15m, 2h, 3d ago.")] = None,
    lane: Annotated[str | None, typer.Option(help="Only this lane: event, numeric or waveform.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="At most so many. Without it all of them as JSON, 500 as a table.")
    ] = None,
) -> None:
    """Print the stored observations, oldest first; with --lane event the events of this gateway."""
    with refusing():
        from gateway.cli.observations import observations

        observations(config, as_json=as_json, device=device, since=since, lane=lane, limit=limit)


@store_app.command("recover")
def store_recover(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="The store, or the name of one in the state folder.", readable=False)
    ],
    config: Config = DEFAULT_CONFIG,
    as_json: AsJson = False,
    output: Annotated[
        Path | None, typer.Option(help="Path of the recovered store; FILE.recovered by default.", readable=False)
    ] = None,
    observations: Annotated[
        Path | None,
        typer.Option(
            help="Also write the observations to this file as JSON lines. They are patient data.", readable=False
        ),
    ] = None,
    send: Annotated[
        bool, typer.Option("--send", help="Let the running gateway send the batches that the cloud lacks.")
    ] = False,
) -> None:
    """Save what can be read of a damaged store, row by row, and count what cannot. FILE is not changed."""
    with refusing():
        from gateway.cli.store import recover_store

        recover_store(config, file, as_json=as_json, output=output, observations=observations, send=send)


@app.command()
def capture(
    output: Annotated[
        Path, typer.Argument(help="The file to write; it must not exist. It will hold patient data.", readable=False)
    ],
    config: Config = DEFAULT_CONFIG,
    link: Annotated[str | None, typer.Option(help="Only this link, by its name in `status`.")] = None,
    seconds: Annotated[float | None, typer.Option("--for", min=0.1, help="Stop after so many seconds.")] = None,
    limit_mb: Annotated[int, typer.Option(min=1, max=256, help="Stop at this size.")] = 64,
) -> None:
    """Record what crosses the running gateway's links, until Ctrl-C. The file can be given to `replay`."""
    with refusing():
        from gateway.cli.capture import capture

        capture(config, output, link=link, seconds=seconds, limit_bytes=limit_mb << 20)


@app.command()
def replay(
    path: Annotated[Path, typer.Argument(metavar="CAPTURE", help="A wire capture as JSON lines.", readable=False)],
    as_json: AsJson = False,
    known_configs: Annotated[
        KnownConfigs, typer.Option(help="standard: as the product does it. none: every device explains itself.")
    ] = KnownConfigs.STANDARD,
) -> None:
    """Run a wire capture through the manager and print what it measured. Needs no settings and stores nothing."""
    with refusing():
        from gateway.cli.replay import print_replay

        print_replay(path, as_json=as_json, known_configurations=known_configs is KnownConfigs.STANDARD)


def main() -> None:
    """The console script."""
    try:
        app()
    except BrokenPipeError:
        # Whoever read our output has seen enough (`| head`). Nothing may be flushed into the broken pipe at exit.
        sys.stderr.close()
        sys.exit(0)
