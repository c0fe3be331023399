"""The cloud's storage: one SQL tree for SQLite and PostgreSQL, transactions, migrations.

A slice declares tables on `metadata`, writes statements in its `store.py` with SQLAlchemy Core, and gets a
`Transaction` from its service. `insert` here knows ON CONFLICT and RETURNING in the form that both databases
understand.
"""

from sqlalchemy.dialects.postgresql import insert

from cloud.foundation.db.database import Database
from cloud.foundation.db.errors import (
    CommitLost,
    CommitUnknown,
    ConstraintViolated,
    DatabaseUnavailable,
    DatabaseUnusable,
    TransactionTooSlow,
    ValueRefused,
)
from cloud.foundation.db.given import GivenRows, given
from cloud.foundation.db.metadata import metadata
from cloud.foundation.db.migrate import migrate
from cloud.foundation.db.opening import open_database
from cloud.foundation.db.prepared import Prepared, compiled
from cloud.foundation.db.transaction import Driver, Rows, Transaction

__all__ = [
    "CommitLost",
    "CommitUnknown",
    "ConstraintViolated",
    "Database",
    "DatabaseUnavailable",
    "DatabaseUnusable",
    "Driver",
    "GivenRows",
    "Prepared",
    "Rows",
    "Transaction",
    "TransactionTooSlow",
    "ValueRefused",
    "compiled",
    "given",
    "insert",
    "metadata",
    "migrate",
    "open_database",
]
