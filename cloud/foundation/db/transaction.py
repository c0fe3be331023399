"""A transaction as stores see it, the same on both databases.

Services begin and end transactions, with `Database.transaction()` and `Database.read()`; stores never do.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Executable, Row, Table

from cloud.foundation.db.prepared import DialectName, Prepared, Values

AnyRow = Row[*tuple[Any, ...]]
"""A row of any width; its columns are also attributes."""

Parameters = Mapping[str, Any] | Sequence[Mapping[str, Any]] | None


@dataclass(frozen=True, slots=True)
class Rows:
    """The fetched rows of a statement. `rowcount` is the number of changed rows, -1 if the driver reports none."""

    rows: Sequence[AnyRow]
    rowcount: int

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self) -> AnyRow | None:
        """Return the first row, or None."""
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any:
        """Return the first column of the first row, or None."""
        return self.rows[0][0] if self.rows else None


OnRows = Callable[[Sequence[Sequence[Any]]], None]
"""Gets the rows of a statement that is run later (`Driver.run_later`)."""
Query = Callable[[Prepared, Values], Awaitable[Sequence[Sequence[Any]]]]
"""Runs a query and returns its rows: `Driver.rows` of a transaction or, for a fast query by key, `Database.peek`."""


class Driver(Protocol):
    """The fast path of a transaction: compiled statements run directly on the driver, and rows are plain tuples. The
    methods raise the errors of `foundation.db.errors`, such as `ConstraintViolated`."""

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of a query, or of a change with RETURNING."""
        ...

    async def rows_each(self, queries: Sequence[tuple[Prepared, Values]]) -> Sequence[Sequence[Sequence[Any]]]:
        """Run queries in order, and return the rows of each. On SQLite, this waits for the writer's thread once."""
        ...

    async def run(self, statement: Prepared, values: Values) -> int:
        """Run a change with these values; return the number of changed rows."""
        ...

    async def run_later(self, statement: Prepared, values: Values, on_rows: OnRows | None = None) -> None:
        """Queue a change and return at once. The change is made after the earlier statements and before the transaction
        ends. If the change fails, the transaction fails at its end. On SQLite, the caller need not wait for the
        writer's thread. `on_rows` is called with the rows of RETURNING before the end of the transaction, mostly during
        the commit, which may still fail."""
        ...

    async def change_later(self, statement: Prepared, values: Values, rows: int) -> None:
        """Queue a change as `run_later` does. If it changes another number of rows than `rows`, the transaction fails
        with `RowsMissing`, at its end or here. So the next statements need not wait for the number."""
        ...

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        """Run a query once for each of `values`, in order and in one call; return all rows in one sequence."""
        ...

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a change once for each row. The fields of a row are in the order of `statement.order`."""
        ...

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows by the fastest means of the database (PostgreSQL: COPY). If one row violates a constraint, the
        whole call fails."""
        ...

    async def append_later(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Queue the same, as `run_later` does."""
        ...


class Transaction(Protocol):
    """A transaction on either database, as stores use it. A transaction from `Database.read()` refuses changes."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def driver(self) -> Driver: ...

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        """Run a Core statement and return its rows. Raises `ConstraintViolated`, `DatabaseUnavailable`."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Run a block in a savepoint: an exception rolls only the block back, and is raised again."""
        ...
