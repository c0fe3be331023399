"""How a command of `argus-cloud` runs and answers: settings, database, one sentence when it cannot be done.

The commands themselves are in each slice's `cli.py`; they get a `Workplace` and call the same services as the HTTP
handlers will. Results are for people (tables) or, with `--json`, for scripts: one JSON document on standard output.
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

from cloud.access.tenancy import Viewer
from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids, UlidIds
from cloud.settings import Settings, read_settings

Result = TypeVar("Result")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document, for scripts.")]
TenantOption = Annotated[str, typer.Option("--tenant", help="The tenant's id, tnt_….")]

# What Rich draws beside the text of a cell: a space on either side and a line.
CELL_MARGIN = 3

OPERATOR = "operator"
"""Who did it, where somebody with a shell on the machine did it."""


@dataclass(frozen=True)
class Workplace:
    """What a command works with. `settings` are those of `--config`."""

    settings: Settings
    database: Database
    clock: Clock
    ids: Ids

    def operator(self, tenant_id: str) -> Viewer:
        """Who looks: somebody who could read the database anyway."""
        return Viewer.operator(tenant_id)


def settings_of(context: typer.Context) -> Settings:
    """The settings of `--config`; ends the command with a sentence when they cannot be used."""
    path = context.find_root().obj
    assert isinstance(path, Path)
    return told(lambda: read_settings(path))


def run(context: typer.Context, work: Callable[[Workplace], Awaitable[Result]]) -> Result:
    """Open the database, work, close it. Ends the command with a sentence and exit code 1 when it cannot be done."""
    settings = settings_of(context)

    async def at_work() -> Result:
        clock = SystemClock()
        database = await open_database(settings.database_url)
        try:
            return await work(Workplace(settings, database, clock, UlidIds(clock)))
        finally:
            await database.close()

    return told(lambda: asyncio.run(at_work()))


def told(work: Callable[[], Result]) -> Result:
    """Do it; say in a sentence on standard error why it cannot be done, and exit with 1."""
    try:
        return work()
    except DomainError as error:
        typer.echo(error.sentence, err=True)
        raise typer.Exit(1) from None


def print_json(document: Any) -> None:
    """One JSON document and a line end."""
    typer.echo(orjson.dumps(document).decode())


def print_table(title: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows for people: a table where it fits the terminal, else a paragraph each. Nothing is cut: ids are copied."""
    if not rows:
        typer.echo(f"{title}: none")
        return
    cells = [{name: "" if value is None else str(value) for name, value in row.items()} for row in rows]
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
    """A list: a table, or a JSON array."""
    found = list(rows)
    if as_json:
        print_json(found)
    else:
        print_table(title, found)


def print_one(sentence: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """What was made or changed: a sentence, or a JSON object."""
    if as_json:
        print_json(document)
    else:
        typer.echo(sentence)
