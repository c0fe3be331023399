"""Run a command of `argus-cloud`: settings, database, output, one sentence for an error.

The commands themselves are in each slice's `cli.py`; they get a `Workplace` and call the same services as the HTTP
handlers. The composition root puts a `CommandLine` into the context. Results are for people (tables) or, with `--json`,
for scripts: one JSON document on standard output.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids, UlidIds
from cloud.foundation.named_ids import check_ids, id_kinds
from cloud.foundation.settings import Settings
from cloud.foundation.supplies import Supplies
from cloud.foundation.viewer import Actor

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's id, tnt_….")]

# Characters that Rich draws beside the text of a cell: a space on either side and a line.
CELL_MARGIN = 3


@dataclass(frozen=True)
class CommandLine:
    """The context of every command: the file of `--config`, its reader, and the maker of the supplies."""

    config: Path
    read_settings: Callable[[Path], Settings]
    make_supplies: Callable[[], Supplies]


@dataclass(frozen=True)
class Workplace:
    """The parts that a command uses. `settings` are those of `--config`."""

    settings: Settings
    database: Database
    clock: Clock
    ids: Ids
    make_supplies: Callable[[], Supplies]

    @property
    def supplies(self) -> Supplies:
        """The supplies of slices in higher rooms; loaded on use, since few commands need them."""
        return self.make_supplies()

    def operator(self, tenant_id: str) -> Actor:
        """Return the actor of a command in this tenant."""
        return Actor.operator(tenant_id)


def command_line_of(context: typer.Context) -> CommandLine:
    given = context.find_root().obj
    assert isinstance(given, CommandLine)
    return given


def settings_of(context: typer.Context) -> Settings:
    """Read the settings of `--config`. Ends the command with a sentence when they are invalid."""
    given = command_line_of(context)
    return or_exit(lambda: given.read_settings(given.config))


def run(context: typer.Context, work: Callable[[Workplace], Awaitable[Result]]) -> Result:
    """Open the database, check the ids that the command names, work, and close it.

    Ends the command with a sentence and exit code 1 on an error.
    """
    settings, make_supplies = settings_of(context), command_line_of(context).make_supplies

    async def at_work() -> Result:
        clock = SystemClock()
        database = await open_database(settings.database_url)
        try:
            if id_kinds().keys() & context.params.keys():
                async with database.read() as tx:
                    await check_ids(tx, context.params)
            return await work(Workplace(settings, database, clock, UlidIds(clock), make_supplies))
        finally:
            await database.close()

    return or_exit(lambda: asyncio.run(at_work()))


def or_exit(work: Callable[[], Result]) -> Result:
    """Return the result of `work`. Print an error as a sentence on standard error and exit with 1."""
    try:
        return work()
    except DomainError as error:
        typer.echo(f"{error.sentence} {error.suggestion}".rstrip(), err=True)
        raise typer.Exit(1) from None


def print_json(document: Any) -> None:
    """Print one JSON document and a line end."""
    typer.echo(orjson.dumps(document).decode())


def _cell(value: Any) -> str:
    """Return a value as text for people."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case Mapping():
            return ", ".join(f"{name}={_cell(inner)}" for name, inner in value.items())
        case list() | tuple():
            return ", ".join(map(_cell, value))
        case _:
            return str(value)


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print rows for people: as a table if it fits the terminal, else one paragraph each. Nothing is cut."""
    if not rows:
        typer.echo(f"{title}: none")
        return
    cells = [{name: _cell(value) for name, value in row.items()} for row in rows]
    widths = [max(len(name), *(len(row[name]) for row in cells)) + CELL_MARGIN for name in cells[0]]
    console = Console(highlight=False, markup=False)
    if sum(widths) > console.width:
        for row in cells:
            console.print()
            for name, value in row.items():
                if value:
                    console.print(f"{name:>16}  {value}", soft_wrap=True)
        return
    table = Table(title=title, title_justify="left")
    for name in cells[0]:
        table.add_column(name)
    for row in cells:
        table.add_row(*(Text(value) for value in row.values()))
    console.print(table)


def print_rows(title: str, rows: Iterable[Mapping[str, Any]], *, as_json: bool) -> None:
    """Print a list as a table or as a JSON array."""
    found = list(rows)
    if as_json:
        print_json(found)
    else:
        print_table(title, found)


def print_one(sentence: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """Print a result as a sentence or as a JSON object."""
    if as_json:
        print_json(document)
    else:
        typer.echo(sentence)
