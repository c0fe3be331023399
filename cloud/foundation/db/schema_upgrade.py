"""Apply the missing migrations on an open connection, inside the transaction that the caller began, or each in one of
its own.

Everything here is fast at any size of the database: no statement reads or rewrites a large table. Longer work is a
background step (`cloud.foundation.steps`), which the service runs beside its requests. A migration that builds on a
step of an earlier release names it in `requires_steps`, and is not applied before the step has ended.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING

from sqlalchemy import Connection, inspect, text

from cloud.foundation.db.errors import DatabaseAbsent, DatabaseForeign, StepsUnfinished
from cloud.foundation.db.revisions import (
    APPLIED_TABLE,
    COMPATIBLE_TABLE,
    MIGRATIONS,
    SchemaRevision,
    check_compatible,
    known_revisions,
    revision_of,
)

if TYPE_CHECKING:
    from alembic.config import Config
    from alembic.runtime.migration import MigrationInfo

_CREATE_TABLE = "CREATE TABLE {} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"
_FINISHED_STEPS = text("SELECT name FROM background_steps WHERE finished_at_us IS NOT NULL")


@dataclass(frozen=True, slots=True)
class Migrated:
    """The revision of the database before and after `migrate`. `before` is None for a new database."""

    before: str | None
    after: str | None


def upgrade(
    connection: Connection, revision: str, *, create: bool, begin_next: Callable[[], None] | None = None
) -> Migrated:
    """Apply the missing migrations up to `revision`. A newer database that is compatible is left unchanged.
    `begin_next` is called after each migration of a database that is in use: it commits the transaction and begins the
    next one. Raises `DatabaseAbsent`, `DatabaseForeign`, `DatabaseNewer`, `StepsUnfinished`."""
    found = stored_revision(connection)
    if found is None and not create:
        raise DatabaseAbsent("(There are no tables of ours in it.)")
    check_compatible(found)
    target = known_revisions()[-1] if revision == "head" else revision
    if found is not None and found.applied >= target:
        return Migrated(found.applied, found.applied)
    from alembic import command  # here, since its import takes as long as a start without a migration

    modules = {number: module for number, module in migration_modules().items() if number <= target}
    if found is not None:
        _check_steps(connection, [module for number, module in modules.items() if number > found.applied])
        if not inspect(connection).has_table(APPLIED_TABLE):
            _store(connection, APPLIED_TABLE, found.applied)
    config = alembic_config()
    config.attributes["connection"] = connection

    if found is not None and begin_next is not None:

        def end_migration(*, step: "MigrationInfo", **_: object) -> None:
            applied = {number: module for number, module in modules.items() if number <= str(step.up_revision_id)}
            _store(connection, COMPATIBLE_TABLE, oldest_program(applied))
            begin_next()

        config.attributes["after_each"] = end_migration
    command.upgrade(config, revision)
    _store(connection, COMPATIBLE_TABLE, oldest_program(modules))
    return Migrated(None if found is None else found.applied, target)


def oldest_program(modules: dict[str, ModuleType]) -> str:
    """Return the newest migration of the oldest program that can use a database with these migrations."""
    return max(str(getattr(module, "compatible_from", number)) for number, module in modules.items())


def migration_modules() -> dict[str, ModuleType]:
    """Return all migrations by their numbers, oldest first."""
    from alembic.script import ScriptDirectory

    script = ScriptDirectory.from_config(alembic_config())
    return {number: script.get_revision(number).module for number in known_revisions()}


def _check_steps(connection: Connection, missing: Sequence[ModuleType]) -> None:
    """Raise `StepsUnfinished` if one of these migrations needs a background step that has not ended."""
    required = {step for module in missing for step in getattr(module, "requires_steps", ())}
    if not required:
        return
    finished: set[str] = set()
    if inspect(connection).has_table("background_steps"):
        finished = {str(name) for (name,) in connection.execute(_FINISHED_STEPS)}
    if required - finished:
        raise StepsUnfinished(f"(Not ended: {', '.join(sorted(required - finished))}.)")


def _store(connection: Connection, table: str, revision: str) -> None:
    """Store a revision in a table of one row, which is created if it is missing."""
    if not inspect(connection).has_table(table):
        connection.execute(text(_CREATE_TABLE.format(table)))
    connection.execute(text(f"DELETE FROM {table}"))  # noqa: S608  one of two constant names
    connection.execute(text(f"INSERT INTO {table} VALUES (:revision)"), {"revision": revision})  # noqa: S608  one of two constant names


def alembic_config() -> "Config":
    """Return Alembic's configuration. There is no ini file, since only `migrate` runs Alembic."""
    from alembic.config import Config

    config = Config()
    # Alembic interpolates the value: a percent sign in the path must be doubled.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def stored_revision(connection: Connection) -> SchemaRevision | None:
    """Return the revision of the database, or None for a database without migrations. Raises `DatabaseForeign` if a
    database without migrations has a table `tenants`."""
    tables = [table for table in (APPLIED_TABLE, COMPATIBLE_TABLE) if inspect(connection).has_table(table)]
    found = {table: connection.scalar(text(f"SELECT version_num FROM {table}")) for table in tables}  # noqa: S608  one of two constant names
    revision = revision_of(found)
    if revision is None and inspect(connection).has_table("tenants"):
        raise DatabaseForeign("(It has a table named tenants and no record of our migrations.)")
    return revision
