"""Run a command of `argus-cloud`: read the settings, open the database, and print the result or the error.

The commands, in each slice's `cli.py`, get a `Workplace` and call the same services as the HTTP handlers.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn, TypeVar

import orjson
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cloud.foundation.arrivals import SETTLE, ArrivalsIncomplete
from cloud.foundation.clock import Clock, SystemClock
from cloud.foundation.db import Database, open_database
from cloud.foundation.errors import DomainError
from cloud.foundation.ids import Ids, UlidIds
from cloud.foundation.master_key import MasterKey, load_master_key
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
    """The object in every command's Typer context. `config` is the path given with `--config`. `make_supplies` makes
    the objects that a slice (the folder of one capability) needs from slices that it may not import."""

    config: Path
    read_settings: Callable[[Path], Settings]
    make_supplies: Callable[[], Supplies]


@dataclass(frozen=True)
class Workplace:
    """The settings, database, clock and other objects of the installation that a console command works with."""

    settings: Settings
    database: Database
    clock: Clock
    ids: Ids
    make_supplies: Callable[[], Supplies]

    @property
    def supplies(self) -> Supplies:
        """The objects that a slice (the folder of one capability) needs from slices that it may not import. They are
        made when this property is read, and not in advance, since few commands need them."""
        return self.make_supplies()

    @property
    def master(self) -> Callable[[], MasterKey]:
        """The function that reads the master key. It raises `MasterKeyAbsent`, `MasterKeyUnfit`, `SettingsUnusable`."""
        return lambda: load_master_key(self.settings)

    def operator(self, tenant_id: str) -> Actor:
        """Return the operator at the console as an actor in this tenant, for the audit trail."""
        return Actor.operator(tenant_id)


def command_line_of(context: typer.Context) -> CommandLine:
    given = context.find_root().obj
    assert isinstance(given, CommandLine)
    return given


def settings_of(context: typer.Context) -> Settings:
    """Read the settings file of `--config`. If the file is invalid, print the reason and exit with code 1."""
    given = command_line_of(context)
    return or_exit(lambda: given.read_settings(given.config))


def run(
    context: typer.Context,
    work: Callable[[Workplace], Awaitable[Result]],
    *,
    settled: bool = False,
    waveforms: bool = True,
) -> Result:
    """Open the database, check the ids in the command's options, and return the result of `work`. `settled`: first
    write the rows of acknowledged batches, which `work` reads; without `waveforms`, those of numerics, which needs no
    object store. If some cannot be written, the command works with the others, and then prints that and exits with
    code 1. On a `DomainError`, print the error and exit with code 1."""
    settings, make_supplies = settings_of(context), command_line_of(context).make_supplies

    async def at_work() -> Result:
        clock = SystemClock()
        database = await open_database(settings.database_url)
        try:
            if id_kinds().keys() & context.params.keys():
                async with database.read() as tx:
                    await check_ids(tx, context.params)
            place = Workplace(settings, database, clock, UlidIds(clock), make_supplies)
            if settled:
                try:
                    await place.supplies[SETTLE](place)(waveforms=waveforms)
                except ArrivalsIncomplete as error:
                    context.call_on_close(partial(_exit_with, error))
            return await work(place)
        finally:
            await database.close()

    return or_exit(lambda: asyncio.run(at_work()))


def or_exit(work: Callable[[], Result]) -> Result:
    """Return the result of `work`. On a `DomainError`, print the error on standard error and exit with code 1."""
    try:
        return work()
    except DomainError as error:
        _exit_with(error)


def _exit_with(error: DomainError) -> NoReturn:
    typer.echo(f"{error.sentence} {error.suggestion}".rstrip(), err=True)
    raise typer.Exit(1) from None


def print_json(document: Any) -> None:
    typer.echo(orjson.dumps(document).decode())


def _cell(value: Any) -> str:
    """Return a table value as text for people: None is empty, and a list or mapping is joined by commas."""
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
    """Print rows as a table or, on a narrow terminal, one paragraph for each row. No text is cut."""
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
    """Print rows as a table with this title or, with `as_json`, as a JSON array."""
    found = list(rows)
    if as_json:
        print_json(found)
    else:
        print_table(title, found)


def print_one(sentence: str, document: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the sentence or, with `as_json`, the document."""
    if as_json:
        print_json(document)
    else:
        typer.echo(sentence)
