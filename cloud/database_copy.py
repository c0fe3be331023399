"""`argus-cloud copy-database`: move an installation from SQLite to the PostgreSQL database of another settings file.

The other file is the complete settings of the new installation, so what would make the copy useless is refused before:
another master key, which cannot open what was sealed with the present one, or another object store, which may not have
the waveforms that the database refers to.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import typer

from cloud.foundation.command import or_exit, print_one, settings_of
from cloud.foundation.db import (
    CopiedTable,
    PostgresqlAddress,
    SqliteAddress,
    copy_to_postgresql,
    metadata,
    read_address,
)
from cloud.foundation.errors import PrivateError
from cloud.foundation.master_key import load_master_key
from cloud.foundation.objects import object_place_of
from cloud.foundation.settings import Settings
from cloud.settings import read_settings
from cloud.slices import load_tables


class CopyRefused(PrivateError, code="copy_refused", status=409):
    """The two settings files do not fit together, so nothing was copied."""


@dataclass(frozen=True, slots=True)
class Installations:
    """The addresses of the SQLite and the PostgreSQL database, after the two settings files were compared."""

    source: SqliteAddress
    target: PostgresqlAddress


def compared(present: Settings, new: Settings) -> Installations:
    """Compare the settings of the present and the new installation. Raises `CopyRefused`, and the errors of reading
    either master key."""
    source, target = read_address(present.database_url), read_address(new.database_url)
    if not isinstance(source, SqliteAddress):
        raise CopyRefused("(The settings of --config name no SQLite database.)")
    if not isinstance(target, PostgresqlAddress):
        raise CopyRefused("(The new settings name no PostgreSQL database.)")
    if load_master_key(present).kids != load_master_key(new).kids:
        raise CopyRefused("(The new settings name another master key. Secrets in the database need the present one.)")
    if object_place_of(present) != object_place_of(new):
        raise CopyRefused(
            f"(The new settings name another object store. The waveforms lie in {object_place_of(present)}.)"
        )
    return Installations(source, target)


def copy_database(context: typer.Context, settings_file: Path, *, as_json: bool) -> None:
    """Copy the database of `--config` to that of `settings_file`, and print the number of rows."""
    present = settings_of(context)

    def progress(table: str, rows: int) -> None:
        typer.echo(f"{table}: {rows:,} rows", err=True)

    def copied() -> list[CopiedTable]:
        both = compared(present, read_settings(settings_file))
        load_tables()
        return asyncio.run(copy_to_postgresql(both.source, both.target, metadata.sorted_tables, progress))

    tables = or_exit(copied)
    rows = {table.name: table.rows for table in tables}
    sentence = (
        f"{sum(rows.values()):,} rows of {len(rows)} tables were copied. The SQLite file stays, and no command uses it "
        f"from now on. Start the service with {settings_file}, then run `argus-cloud custody check`."
    )
    print_one(sentence, {"tables": rows}, as_json=as_json)
