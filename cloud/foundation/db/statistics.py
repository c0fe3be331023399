"""Give PostgreSQL's planner statistics as soon as a table has grown, instead of up to a minute later.

A new table has none, and autovacuum looks once a minute: an installation that begins with full vehicles would run its
first thousands of batches on plans made for empty tables. SQLite needs none for our statements.
"""

from sqlalchemy import text

from cloud.foundation.db.transaction import Transaction

CHANGED_ROWS_LEAST = 500
"""A plan for fewer rows is not slow, whatever it is."""
CHANGED_SHARE = 0.5
"""Share of a table's rows. Tables that grow by less in ten seconds are autovacuum's business, which looks at a
tenth."""

_CHANGED = text(
    "SELECT quote_ident(schemaname) || '.' || quote_ident(relname) FROM pg_stat_user_tables"
    " WHERE n_mod_since_analyze >= greatest(:rows_least, :share * n_live_tup)"
    " AND schemaname = current_schema() ORDER BY relname"
)
_LIMITS = {"rows_least": CHANGED_ROWS_LEAST, "share": CHANGED_SHARE}


async def refresh_statistics(tx: Transaction, now_us: int) -> int:
    """Analyze the tables that have changed much, as a housekeeping task; return the number of tables."""
    if tx.dialect != "postgresql":
        return 0
    tables = [str(row[0]) for row in await tx.execute(_CHANGED, _LIMITS)]
    for table in tables:
        await tx.execute(text(f"ANALYZE {table}"))
    return len(tables)
