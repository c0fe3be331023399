"""`argus-cloud`: the console of the cloud. The commands of a capability are in its slice's `cli.py`.

Everything that cannot be done ends with one sentence on standard error and exit code 1; `--json` is for scripts. A
slice is loaded when one of its commands is typed, since loading them all takes longer than most commands do.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cloud.batch import run_batch
from cloud.command import AsJson, print_json, print_one, print_rows, run, settings_of, told
from cloud.foundation.clock import SystemClock
from cloud.foundation.db import migrate
from cloud.foundation.ids import UlidIds
from cloud.foundation.observability.logs import configure_logs
from cloud.roles import Role

SLICES = {
    "tenants": "cloud.access.tenancy.cli",
    "organizations": "cloud.access.tenancy.cli",
    "vehicles": "cloud.access.tenancy.cli",
    "gateways": "cloud.vehicles.fleet.cli",
    "broker": "cloud.vehicles.fleet.broker_cli",
    "devices": "cloud.clinical.devices.cli",
    "crew": "cloud.clinical.epcr.crew_cli",
    "encounters": "cloud.clinical.epcr.cli",
    "incidents": "cloud.clinical.incidents.cli",
    "assignments": "cloud.clinical.assignments.cli",
    "observations": "cloud.clinical.observations.cli",
    "custody": "cloud.vehicles.custody.cli",
    "ingest": "cloud.vehicles.ingest.cli",
    "events": "cloud.foundation.events.cli",
    "apps": "cloud.access.apps.cli",
    "users": "cloud.access.identity.cli",
    "webhooks": "cloud.partners.webhooks.cli",
    "audit": "cloud.access.audit.cli",
    "keys": "cloud.access.tokens.cli",
    "tokens": "cloud.access.tokens.cli",
}
"""Where the commands under each name are: the module's `Typer` of that name."""


class SlicesOnDemand(TyperGroup):
    """The commands of this file, and those of the slices, each loaded when it is asked for."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._loaded: set[str] = set()
        # The names must be there for the list of commands, and for what is proposed to whoever mistypes one.
        self.commands.update({name: TyperGroup(name=name) for name in SLICES})

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name in SLICES and cmd_name not in self._loaded:
            of_slice = typer.Typer()
            of_slice.add_typer(getattr(import_module(SLICES[cmd_name]), cmd_name), name=cmd_name)
            self.commands.update(typer.main.get_group(of_slice).commands)
            self._loaded.add(cmd_name)
        return super().get_command(ctx, cmd_name)


app = typer.Typer(
    name="argus-cloud",
    cls=SlicesOnDemand,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _settings(
    context: typer.Context,
    config: Annotated[Path, typer.Option("--config", help="The settings file.")] = Path("/etc/argus/cloud.toml"),
) -> None:
    """The cloud service of Argus."""
    context.obj = config
    configure_logs("warning")  # standard output is the command's own


@app.command("serve")
def serve_command(
    context: typer.Context,
    only: Annotated[Role | None, typer.Option("--only", help="Play one role; without this, all.")] = None,
) -> None:
    """Run until SIGTERM."""
    from cloud.app import serve  # here, because the short commands should not wait for what they do not use

    settings = settings_of(context)
    configure_logs(settings.log.level)
    told(lambda: asyncio.run(serve(settings, set(Role) if only is None else {only})))


@app.command("init")
def init_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the database of a new installation, and its master key. Where there is one already it is only migrated."""
    _migrate(context, create=True, as_json=as_json)


@app.command("migrate")
def migrate_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Bring the database to what this version needs; refused where there is none. Safe to repeat, also at once."""
    _migrate(context, create=False, as_json=as_json)


def _migrate(context: typer.Context, *, create: bool, as_json: bool) -> None:
    from cloud.access.tokens.cli import make_first_master_key  # as in `serve`

    settings = settings_of(context)
    done = told(lambda: asyncio.run(migrate(settings.database_url, create=create)))
    if done.before == done.after:
        sentence = f"The database stands at {done.after} already."
    else:
        sentence = f"The database was brought from {done.before or 'nothing'} to {done.after}."
    made = run(context, make_first_master_key)
    if made is not None:
        sentence += f" The master key is in {made}: keep a copy elsewhere."
    print_one(sentence, {**asdict(done), "master_key_file": made}, as_json=as_json)


@app.command("init-secrets")
def init_secrets_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the master key file; refused when there is one. Keep a copy of it where the database's backups are not."""
    from cloud.access.tokens.cli import init_secrets  # as in `serve`

    init_secrets(context, as_json=as_json)


@app.command("doctor")
def doctor_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at what must be right; exits with 1 when something is in the way."""
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
    """List what the four hosts answer: host, method, path, scopes, limits."""
    from cloud.foundation.http.listing import listed  # as in `serve`
    from cloud.surface import rows_of

    settings = settings_of(context)
    clock = SystemClock()
    rows = told(lambda: rows_of(settings, clock, UlidIds(clock)))
    print_rows("Routes", [listed(row, host) for row in rows for host in row.hosts], as_json=as_json)


@app.command("batch")
def batch_command(
    context: typer.Context, file: Annotated[Path, typer.Argument(help="A command a line, as typed after argus-cloud.")]
) -> None:
    """Run the commands in a file, in one process; stops at the first that cannot be done."""
    command = typer.main.get_command(app)

    def run(words: Sequence[str]) -> int:
        try:
            command.main(["--config", str(context.find_root().obj), *words])
        except SystemExit as ended:
            # The same end as when it is typed: what was wrong has been said already.
            return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
        return 0

    run_batch(file, run)


def main() -> None:
    """The console script."""
    app()
