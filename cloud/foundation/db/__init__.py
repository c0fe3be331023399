"""The cloud's storage: the same statements, transactions and migrations on SQLite and on PostgreSQL.

A slice declares its tables on `metadata`. Its `store.py` runs SQLAlchemy Core statements in a `Transaction` that the
slice's service began. `insert` supports ON CONFLICT and RETURNING in the form that both databases accept.
"""

# mypy: implicit-reexport
from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db.address import PostgresqlAddress, SqliteAddress, read_address
from cloud.foundation.db.chunks import CHUNK_ROWS, delete_chunk
from cloud.foundation.db.database import Database
from cloud.foundation.db.errors import (
    CommitLost,
    ConstraintViolated,
    DatabaseDamaged,
    DatabaseUnavailable,
    DatabaseUnusable,
    RowsMissing,
    TransactionTooSlow,
    ValueRefused,
)
from cloud.foundation.db.estimates import estimate_rows
from cloud.foundation.db.given_rows import GivenRows, among, given
from cloud.foundation.db.migration import migrate
from cloud.foundation.db.opening import open_database
from cloud.foundation.db.partitions import SHORT_WAIT, DayPartitions, literal_days
from cloud.foundation.db.prepared import DialectName, Prepared, compiled
from cloud.foundation.db.records import Records
from cloud.foundation.db.relocation import CopiedTable, copy_to_postgresql
from cloud.foundation.db.revisions import RELEASE_BEFORE, check_usable, known_revisions, read_revision
from cloud.foundation.db.schema import (
    FILLED_BY_MIGRATION,
    SealedColumn,
    metadata,
    partial_index,
    row_number,
    sealed_columns,
    sealed_for,
)
from cloud.foundation.db.sqlite import SqliteDatabase
from cloud.foundation.db.sqlite_integrity import (
    SCHEMA,
    TABLE_S_MAX,
    Damage,
    Examined,
    examine_all,
    examine_file,
    examine_table,
    tables_of,
)
from cloud.foundation.db.sqlite_log import kept_copies
from cloud.foundation.db.statistics import refresh_statistics
from cloud.foundation.db.transaction import AnyRow, Query, Rows, Transaction
