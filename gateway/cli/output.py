"""Output of the commands: JSON lines for scripts, tables for people."""

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from rich.table import Table


_WIDTH_MAX = 1000
"""Width of the widest table with a column that is not folded: a path has at most some hundred characters."""


def print_json(value: Mapping[str, Any]) -> None:
    """Print one object on one line."""
    sys.stdout.buffer.write(orjson.dumps(value) + b"\n")


def print_json_lines(values: Iterable[Mapping[str, Any]]) -> None:
    """Print one object per line, each as soon as `values` yields it."""
    write = sys.stdout.buffer.write
    for value in values:
        write(orjson.dumps(value) + b"\n")


def print_table(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Sequence[str] = ()
) -> None:
    """Print a table for a narrow terminal. Cells are wrapped and never cut off; columns in `whole` are not wrapped."""
    from rich.console import Console

    table = table_of(title, columns, rows, whole=whole)
    console = Console()
    if whole:  # a terminal that is too narrow breaks the line itself, which a copy undoes
        options = console.options.update(max_width=_WIDTH_MAX)
        console.width = max(console.width, console.measure(table, options=options).minimum)
    console.print(table)


def table_of(
    title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Sequence[str] = ()
) -> "Table":
    """Make a table for a narrow terminal, for a caller that updates it on the screen. Cells are wrapped and never cut
    off; columns in `whole` are not wrapped."""
    from rich.table import Table
    from rich.text import Text

    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in whole)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table


def age_text(seconds: float) -> str:
    """Return a duration as text: `3 s`, `4 min`, `2 h`, `5 d`."""
    for unit_s, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= unit_s:
            return f"{seconds / unit_s:.0f} {unit}"
    return f"{seconds:.0f} s"
