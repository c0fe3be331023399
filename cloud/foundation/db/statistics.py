"""Refresh the statistics of PostgreSQL's query planner soon after a table has grown.

Autovacuum refreshes statistics only once a minute, so an installation that starts with full buffers in its vehicles
would process thousands of batches with plans for empty tables. SQLite needs no statistics for our statements.
"""

from sqlalchemy import text

from cloud.foundation.db.transaction import Transaction

CHANGED_ROWS_LEAST = 500
"""Tables with fewer changed rows are left out: even a poor plan for so few rows is fast."""
CHANGED_SHARE = 0.5
"""Share of a table's rows that must have changed. Autovacuum (its threshold is a tenth) handles slower growth."""

_CHANGED = text(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_stat_user_tables"
    " WHERE n_mod_since_analyze >= greatest(:rows_least, :share * n_live_tup)"
    " AND schemaname = current_schema() ORDER BY relname"
)
_LIMITS = {"rows_least": CHANGED_ROWS_LEAST, "share": CHANGED_SHARE}


async def refresh_statistics(tx: Transaction, now_us: int) -> int:
    """ANALYZE the tables that have changed much since their last ANALYZE; return the number of tables, 0 on SQLite."""
    if tx.dialect != "postgresql":
        return 0
    tables = [str(row[0]) for row in await tx.execute(_CHANGED, _LIMITS)]
    for table in tables:
        await tx.execute(text(f"ANALYZE {table}"))
    return len(tables)
