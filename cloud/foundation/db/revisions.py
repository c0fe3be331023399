"""The revision of a database, and whether this program can use it.

Two tables of one row each decide this. `schema_revision` has the newest migration that was applied; Alembic writes it.
`alembic_version` has the oldest program that can use the database, as the newest migration of that program. Releases up
to 0020 know only `alembic_version` and refuse every value but their own newest migration. So after an upgrade that only
expands the schema, the table keeps the value of the release before, and that release still starts.

A migration declares `compatible_from`, the oldest program that can use the database after it. Without it, only programs
that know the migration can. This module reads file names, because importing Alembic takes long.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from sqlalchemy import text

from cloud.foundation.db.database import Database
from cloud.foundation.db.errors import DatabaseNewer, DatabaseUnmigrated

MIGRATIONS = Path(__file__).parent / "migrations"
APPLIED_TABLE = "schema_revision"
"""The table with the newest migration that was applied."""
COMPATIBLE_TABLE = "alembic_version"
"""The table with the newest migration of the oldest program that can use the database."""
RELEASE_BEFORE = "0020"
"""The newest migration of the release before this one. New migrations let its program use the database, so that an
operator can go back by one release. A release sets this to the newest migration of its predecessor."""

_TABLES = {
    "sqlite": text("SELECT name FROM sqlite_schema WHERE type = 'table' AND name IN (:applied, :compatible)"),
    "postgresql": text("SELECT relname FROM pg_class WHERE oid IN (to_regclass(:applied), to_regclass(:compatible))"),
}


@dataclass(frozen=True, slots=True)
class SchemaRevision:
    """The revision of a database: its newest migration, such as `0023`, and the newest migration of the oldest program
    that can use it, such as `0020`."""

    applied: str
    compatible_from: str


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the numbers of all migrations, oldest first: the file `m0012_….py` is 0012. There are no branches."""
    return tuple(sorted(file.name[1:5] for file in (MIGRATIONS / "versions").glob("m[0-9][0-9][0-9][0-9]_*.py")))


async def read_revision(database: Database) -> SchemaRevision | None:
    """Return the revision of the database; None if no migration was applied."""
    async with database.read() as tx:
        names = {"applied": APPLIED_TABLE, "compatible": COMPATIBLE_TABLE}
        tables = {str(name) for (name,) in await tx.execute(_TABLES[tx.dialect], names)}
        found = {table: (await tx.execute(text(f"SELECT version_num FROM {table}"))).scalar() for table in tables}  # noqa: S608  one of two constant names
    return revision_of(found)


def revision_of(found: Mapping[str, str | None]) -> SchemaRevision | None:
    """Return the revision from the contents of the two tables; an absent table has no entry. Releases up to 0020 wrote
    only one table, since none of their databases is compatible with an earlier program."""
    compatible_from = found.get(COMPATIBLE_TABLE)
    applied = found.get(APPLIED_TABLE, compatible_from)
    if applied is None:
        return None
    return SchemaRevision(str(applied), str(compatible_from or applied))


def check_compatible(revision: SchemaRevision | None) -> None:
    """Raise `DatabaseNewer` if the database needs a newer program. A newer database that is compatible is accepted."""
    newest = known_revisions()[-1]
    if revision is not None and revision.compatible_from > newest:
        stands = f"It stands at {revision.applied} and needs a program of {revision.compatible_from} or later"
        raise DatabaseNewer(f"({stands}, this program knows up to {newest}.)")


def check_usable(revision: SchemaRevision | None) -> None:
    """Check that this program can use a database of this revision (None: no migration was applied). Raises
    `DatabaseNewer` if the database needs a newer program, and `DatabaseUnmigrated` if migrations are missing."""
    check_compatible(revision)
    newest = known_revisions()[-1]
    if revision is None or revision.applied < newest:
        stands = "nothing" if revision is None else revision.applied
        raise DatabaseUnmigrated(f"(It stands at {stands}, this program needs {newest}.)")
