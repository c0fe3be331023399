"""Statements of migrations that depend on the size of a table: fast ones at once, slow ones in a background step."""

import sqlalchemy as sa
from alembic import op

ROWS_MAX = 100_000
"""Size of a table up to which a migration builds an index: a fraction of a second."""


def create_index_unless_large(name: str | None, table: str, columns: list[str], *, where: str | None = None) -> bool:
    """Create an index, or leave it to the background step for missing indexes if the table is large. Return
    whether it was created. The slice's `tables` must declare the same index. Queries must be correct without it."""
    counted = sa.text(f"SELECT count(*) FROM (SELECT 1 FROM {table} LIMIT {ROWS_MAX + 1}) counted")  # noqa: S608  the name in a migration
    if op.get_bind().scalar(counted) > ROWS_MAX:
        return False
    condition = None if where is None else sa.text(where)
    op.create_index(name, table, columns, sqlite_where=condition, postgresql_where=condition)
    return True
