"""Which migrations this program knows, and whether a database is older, equal, newer or somebody else's.

They are read from the names of the files, since Alembic, which runs them, takes longer to load than most commands of
the console take to do their work.
"""

from functools import cache
from pathlib import Path

from cloud.foundation.db.errors import DatabaseNewer, DatabaseUnmigrated

MIGRATIONS = Path(__file__).parent / "migrations"


@cache
def known_revisions() -> tuple[str, ...]:
    """Every revision, oldest first: `m0012_….py` is 0012. One line of history: a fork is a mistake of ours."""
    return tuple(sorted(file.name[1:5] for file in (MIGRATIONS / "versions").glob("m[0-9][0-9][0-9][0-9]_*.py")))


def check_known(revision: str | None) -> None:
    """Raises `DatabaseNewer` for a revision that this program has never heard of."""
    if revision is not None and revision not in known_revisions():
        raise DatabaseNewer(f"(It stands at {revision}, this program knows up to {known_revisions()[-1]}.)")


def check_current(revision: str | None) -> None:
    """Raises `DatabaseNewer` or `DatabaseUnmigrated` unless the database stands at the newest revision that we know."""
    check_known(revision)
    if revision != known_revisions()[-1]:
        raise DatabaseUnmigrated(f"(It stands at {revision or 'nothing'}, this program needs {known_revisions()[-1]}.)")
