"""`argus-cloud`: the console of the cloud. The commands of a capability are in its slice's `cli.py`.

An error prints one sentence on standard error, and the exit code is 1; `--json` is for scripts. A slice is loaded when
one of its commands is called, because loading all of them takes longer than most commands.
"""

import asyncio
import gc
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cloud.batch import run_batch
from cloud.foundation.clock import SystemClock
from cloud.foundation.command import (
    AsJson,
    CommandLine,
    command_line_of,
    or_exit,
    print_json,
    print_one,
    run,
    settings_of,
)
from cloud.foundation.db import migrate
from cloud.foundation.ids import UlidIds
from cloud.foundation.observability import LogSection, configure_logs
from cloud.foundation.process import Role
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Supplies
from cloud.slices import SLICES

COMMANDS = {name: (one, part) for one in SLICES for name, part in one.commands.items()}
"""Command names, each with its slice and the part of the slice that has the command."""


DEFAULT_THRESHOLDS = gc.get_threshold()
OBJECTS_BETWEEN_COLLECTIONS = 200_000
"""New objects until the garbage collector runs in a command. Loading the service makes about 160 000 objects, and all
of them stay: with Python's default of 700 the collector runs 300 times and takes a seventh of the start. Objects that
only the collector can free are rare in a command; so many of them take about 30 MB. `serve` sets the default again
before it serves requests."""


class SlicesOnDemand(TyperGroup):
    """The commands of this file, and those of the slices, each loaded on demand."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._loaded: set[str] = set()
        # The names are needed for the list of commands and for suggestions after a typing error.
        self.commands.update({name: TyperGroup(name=name) for name in COMMANDS})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in COMMANDS and cmd_name not in self._loaded:
            one, part = COMMANDS[cmd_name]
            of_slice = typer.Typer()
            of_slice.add_typer(one.load(part), name=cmd_name)
            self.commands.update(typer.main.get_group(of_slice).commands)
            self._loaded.add(cmd_name)
        return super().get_command(ctx, cmd_name)


def _read_settings(path: Path) -> Settings:
    from cloud.settings import read_settings  # as in `serve`

    return read_settings(path)


def _make_supplies() -> Supplies:
    from cloud.supplies import make_supplies  # as in `serve`

    return make_supplies()


app = typer.Typer(
    name="argus-cloud", cls=SlicesOnDemand, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"argus-cloud {version('argus')}")
        raise typer.Exit


@app.callback()
def _settings(
    context: typer.Context,
    config: Annotated[
        Path, typer.Option("--config", "-c", help="The settings file. Write it before the command.")
    ] = Path("/etc/argus/cloud.toml"),
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """The cloud service of Argus."""
    context.obj = CommandLine(config, _read_settings, _make_supplies)
    configure_logs("warning")  # standard output is the command's own


@app.command("serve")
def serve_command(
    context: typer.Context,
    only: Annotated[Role | None, typer.Option("--only", help="Run one role only. Default: all roles.")] = None,
) -> None:
    """Run until SIGTERM."""
    from cloud.app import serve  # here, since short commands should not load what they do not use
    from cloud.foundation.event_loop import run_service

    settings = settings_of(context)
    configure_logs(settings.section(LogSection).level)
    gc.freeze()  # what is loaded stays: no later collection traverses it
    gc.set_threshold(*DEFAULT_THRESHOLDS)
    or_exit(lambda: run_service(serve(settings, set(Role) if only is None else {only})))


@app.command("init")
def init_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the database and the master key of a new installation. An existing database is only migrated."""
    _migrate(context, create=True, as_json=as_json)


@app.command("migrate")
def migrate_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Migrate the database to this version. Fails if there is no database. Safe to repeat and to run in parallel."""
    _migrate(context, create=False, as_json=as_json)


def _migrate(context: typer.Context, *, create: bool, as_json: bool) -> None:
    from cloud.access.tokens import make_first_master_key  # as in `serve`

    settings = settings_of(context)
    done = or_exit(lambda: asyncio.run(migrate(settings.database_url, create=create)))
    if done.before == done.after:
        sentence = f"The database is already at {done.after}."
    else:
        sentence = f"The database was {'migrated to' if done.before else 'created at'} {done.after}."
    made = run(context, make_first_master_key)
    if made is not None:
        sentence += f" The master key is in {made}. Keep a copy elsewhere."
    print_one(sentence, {**asdict(done), "master_key_file": made}, as_json=as_json)


@app.command("init-secrets")
def init_secrets_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the master key file. Fails if there is one. Keep a copy apart from the backups of the database."""
    from cloud.access.tokens import init_secrets  # as in `serve`

    init_secrets(context, as_json=as_json)


@app.command("copy-database")
def copy_database_command(
    context: typer.Context,
    settings_file: Annotated[Path, typer.Argument(help="Settings of the new installation, with PostgreSQL.")],
    as_json: AsJson = False,
) -> None:
    """Copy the SQLite database to the PostgreSQL database of other settings. Stop the service first. The copy is whole
    or is not made."""
    from cloud.database_copy import copy_database  # as in `serve`

    copy_database(context, settings_file, as_json=as_json)


@app.command("doctor")
def doctor_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Check the installation. Exit code 1 if there is a fault."""
    from cloud.doctor import examine  # as in `serve`
    from cloud.foundation.findings import Level

    settings, clock = settings_of(context), SystemClock()
    findings = asyncio.run(examine(settings, clock, UlidIds(clock)))
    if as_json:
        print_json([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            typer.echo(f"{finding.level:>8}  {finding.part}: {finding.sentence}")
    if any(finding.level is Level.FAULT for finding in findings):
        raise typer.Exit(1)


@app.command("routes")
def routes_command(context: typer.Context, as_json: AsJson = False) -> None:
    """List the routes of the four hosts: host, method, path, scopes, limit."""
    from cloud.foundation.http import listed, table_of  # as in `serve`
    from cloud.surface import rows_of

    settings = settings_of(context)
    clock = SystemClock()
    rows = or_exit(lambda: rows_of(settings, clock, UlidIds(clock)))
    found = [listed(row, host) for row in rows for host in row.hosts]
    if as_json:
        print_json(found)
    else:
        typer.echo(table_of(found))


@app.command("batch")
def batch_command(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="File with one command a line, as typed after argus-cloud.")],
) -> None:
    """Run the commands in a file in one process. Stops at the first error."""
    command = typer.main.get_command(app)

    def run(words: Sequence[str]) -> int:
        try:
            command.main(["--config", str(command_line_of(context).config), *words])
        except SystemExit as ended:
            # The same exit code as for a typed command. Its error is already printed.
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return 0

    run_batch(file, run)


def main() -> None:
    """Run the console script `argus-cloud`."""
    gc.set_threshold(OBJECTS_BETWEEN_COLLECTIONS)
    try:
        app()
    finally:
        gc.freeze()  # otherwise the end of the process traverses everything that was loaded, for a tenth of a second
