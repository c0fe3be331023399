"""The migrations that this program knows, read from their file names, because importing Alembic takes long."""

from functools import cache
from pathlib import Path

from cloud.foundation.db.errors import DatabaseNewer, DatabaseUnmigrated

MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def known_revisions() -> tuple[str, ...]:
    """Return the numbers of all migrations, oldest first: the file `m0012_….py` is 0012. There are no branches."""
    return tuple(sorted(file.name[1:5] for file in (MIGRATIONS / "versions").glob("m[0-9][0-9][0-9][0-9]_*.py")))


def check_known(revision: str | None) -> None:
    """Raise `DatabaseNewer` for a revision that this program does not know."""
    if revision is not None and revision not in known_revisions():
        raise DatabaseNewer(f"(It stands at {revision}, this program knows up to {known_revisions()[-1]}.)")


def check_current(revision: str | None) -> None:
    """Check that `revision`, the database's newest migration, is this program's newest. Raises `DatabaseNewer` for a
    revision that this program does not know, and `DatabaseUnmigrated` for an earlier one."""
    check_known(revision)
    if revision != known_revisions()[-1]:
        raise DatabaseUnmigrated(f"(It stands at {revision or 'nothing'}, this program needs {known_revisions()[-1]}.)")
