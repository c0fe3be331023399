"""`argus-cloud`: the console of the cloud. The commands of a capability are in its slice's `cli.py`.

Everything that cannot be done ends with one sentence on standard error and exit code 1; `--json` is for scripts.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cloud.apps.cli import apps
from cloud.assignments.cli import assignments
from cloud.audit.cli import audit
from cloud.batch import run_batch
from cloud.clock import SystemClock
from cloud.command import AsJson, print_json, print_one, print_rows, run, settings_of, told
from cloud.custody.cli import custody
from cloud.db import migrate
from cloud.devices.cli import devices
from cloud.epcr.cli import encounters
from cloud.epcr.crew_cli import crew
from cloud.events.cli import events
from cloud.fleet.cli import gateways
from cloud.identity.cli import users
from cloud.ids import UlidIds
from cloud.incidents.cli import incidents
from cloud.observability.logs import configure_logs
from cloud.observations.cli import observations
from cloud.roles import Role
from cloud.tenancy.cli import organizations, tenants, vehicles
from cloud.tokens.cli import init_secrets, keys, make_first_master_key, tokens
from cloud.webhooks.cli import webhooks

app = typer.Typer(name="argus-cloud", no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
for name, commands in (
    ("tenants", tenants),
    ("organizations", organizations),
    ("vehicles", vehicles),
    ("gateways", gateways),
    ("devices", devices),
    ("crew", crew),
    ("encounters", encounters),
    ("incidents", incidents),
    ("assignments", assignments),
    ("observations", observations),
    ("custody", custody),
    ("events", events),
    ("apps", apps),
    ("users", users),
    ("webhooks", webhooks),
    ("audit", audit),
    ("keys", keys),
    ("tokens", tokens),
):
    app.add_typer(commands, name=name)
app.command("init-secrets")(init_secrets)


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
    from cloud.app import serve  # here, because the short commands should not wait for the HTTP and MQTT libraries

    settings = settings_of(context)
    configure_logs(settings.log.level)
    told(lambda: asyncio.run(serve(settings, set(Role) if only is None else {only})))


@app.command("migrate")
def migrate_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Create the database, or bring it to what this version needs. Safe to repeat, and while another does it."""
    settings = settings_of(context)
    done = told(lambda: asyncio.run(migrate(settings.database_url)))
    if done.before == done.after:
        sentence = f"The database stands at {done.after} already."
    else:
        sentence = f"The database was brought from {done.before or 'nothing'} to {done.after}."
    made = run(context, make_first_master_key)
    if made is not None:
        sentence += f" The master key is in {made}: keep a copy elsewhere."
    print_one(sentence, {**asdict(done), "master_key_file": made}, as_json=as_json)


@app.command("doctor")
def doctor_command(context: typer.Context, as_json: AsJson = False) -> None:
    """Look at what must be right; exits with 1 when something is in the way."""
    from cloud.doctor import Level, examine  # as in `serve`

    settings = settings_of(context)
    findings = asyncio.run(examine(settings, UlidIds(SystemClock())))
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
    from cloud.http.listing import listed  # as in `serve`
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
