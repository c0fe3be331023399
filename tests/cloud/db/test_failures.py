"""A database error is translated by its cause: the value written, the state of the database, or a programming error.

Callers react differently to each cause.
"""

import sqlite3

import asyncpg
import pytest
from sqlalchemy import insert

from cloud.access.tenancy.tables import tenants
from cloud.foundation.db import (
    ConstraintViolated,
    Database,
    DatabaseUnavailable,
    ValueRefused,
    postgresql_failures,
    sqlite_failures,
)
from cloud.foundation.db.errors import DatabaseRefused
from cloud.foundation.errors import DomainError


def translated(error: Exception) -> DomainError | None:
    """Translate an error by the functions of both databases, of which at most one knows it."""
    return sqlite_failures.translated(error) or postgresql_failures.translated(error)


def sqlite_error(name: str) -> sqlite3.Error:
    error = sqlite3.OperationalError("synthetic row")
    error.sqlite_errorname = name
    return error


@pytest.mark.parametrize(
    "error",
    [
        *(sqlite_error(name) for name in ("SQLITE_FULL", "SQLITE_IOERR_WRITE", "SQLITE_BUSY", "SQLITE_CANTOPEN")),
        *(sqlite_error(name) for name in ("SQLITE_READONLY_DBMOVED", "SQLITE_CORRUPT", "SQLITE_NOMEM")),
        asyncpg.DiskFullError("x"),
        asyncpg.QueryCanceledError("statement timeout"),
        asyncpg.SerializationError("x"),
        asyncpg.DeadlockDetectedError("x"),
        asyncpg.LockNotAvailableError("x"),
        asyncpg.TooManyConnectionsError("x"),
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.IdleInTransactionSessionTimeoutError("x"),
        asyncpg.PostgresIOError("x"),
        asyncpg.DataCorruptedError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.InvalidCachedStatementError("x"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InterfaceError("cannot call Connection.execute(): connection has been released back to the pool"),
        ConnectionRefusedError(),
        TimeoutError(),
    ],
    ids=lambda error: getattr(error, "sqlite_errorname", type(error).__name__),
)
def test_operational_database_error_is_translated_to_database_unavailable(error: Exception) -> None:
    ours = translated(error)
    assert isinstance(ours, DatabaseUnavailable)
    assert "synthetic row" not in ours.sentence


def test_denied_access_to_a_table_is_translated_to_database_refused() -> None:
    assert isinstance(translated(asyncpg.InsufficientPrivilegeError("x")), DatabaseRefused)


@pytest.mark.parametrize(
    "error",
    [sqlite_error("SQLITE_ERROR"), sqlite_error("SQLITE_READONLY"), asyncpg.UndefinedTableError("x"), KeyError("x")],
    ids=lambda error: getattr(error, "sqlite_errorname", type(error).__name__),
)
def test_programming_error_is_not_translated_to_a_database_error(error: Exception) -> None:
    assert translated(error) is None


async def failure(database: Database, **values: object) -> type[DomainError]:
    with pytest.raises(DomainError) as caught:
        async with database.transaction() as tx:
            await tx.execute(insert(tenants), {"id": "tnt_1", "name": "x", "created_at_us": 1, **values})
    assert "synthetic" not in caught.value.sentence
    return type(caught.value)


async def test_constraint_violation_and_unstorable_value_raise_different_database_errors(
    database: Database,
) -> None:
    assert await failure(database, name=None) is ConstraintViolated
    assert await failure(database, created_at_us=1 << 70) is ValueRefused
    assert await failure(database, name="synthetic \ud800") is ValueRefused
    if database.dialect == "postgresql":
        assert await failure(database, name="synthetic \x00") is ValueRefused
