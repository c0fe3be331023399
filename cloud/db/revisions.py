"""Which migrations this program knows, and whether a database is older, equal, newer or somebody else's."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

from cloud.db.errors import DatabaseNewer, DatabaseUnmigrated

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config() -> Config:
    """Alembic's settings; there is no ini file, since only `migrate` runs it."""
    config = Config()
    # Alembic interpolates: a percent sign in the path must be doubled.
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@cache
def known_revisions() -> tuple[str, ...]:
    """Every revision, oldest first. One line of history: a fork is a mistake of ours."""
    script = ScriptDirectory.from_config(alembic_config())
    assert len(script.get_heads()) == 1, "the migrations have one head"
    return tuple(reversed([revision.revision for revision in script.walk_revisions()]))


def check_known(revision: str | None) -> None:
    """Raises `DatabaseNewer` for a revision that this program has never heard of."""
    if revision is not None and revision not in known_revisions():
        raise DatabaseNewer(f"(It stands at {revision}, this program knows up to {known_revisions()[-1]}.)")


def check_current(revision: str | None) -> None:
    """Raises `DatabaseNewer` or `DatabaseUnmigrated` unless the database stands at the newest revision that we know."""
    check_known(revision)
    if revision != known_revisions()[-1]:
        raise DatabaseUnmigrated(f"(It stands at {revision or 'nothing'}, this program needs {known_revisions()[-1]}.)")
