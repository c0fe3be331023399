"""Estimate the number of rows of a large table, without reading the table."""

from sqlalchemy import Table, text

from cloud.foundation.db.transaction import Transaction

_STATISTICS = text("SELECT reltuples FROM pg_class WHERE oid = to_regclass(:table)")


async def estimate_rows(tx: Transaction, table: Table) -> int:
    """Return the approximate number of rows: on PostgreSQL of the last ANALYZE or VACUUM (0 before the first one), on
    SQLite the highest row id, which is too high after deletions. A table without row ids has no estimate there."""
    if tx.dialect == "sqlite":
        return int((await tx.execute(text(f"SELECT coalesce(max(rowid), 0) FROM {table.name}"))).scalar())  # noqa: S608  the name of a declared table
    return max(0, int((await tx.execute(_STATISTICS, {"table": table.name})).scalar()))
