"""The interface of a transaction to a store, on either database, and its fast path.

`execute` takes any Core statement and returns its rows, already fetched. `driver` runs `Prepared` statements directly
on the database driver. Stores never open or end transactions; services do, with `Database.transaction()` and
`Database.read()`.
"""

from collections.abc import Iterator, Mapping, Sequence
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
    """The result of a statement. `rowcount` is the number of changed rows, -1 where the driver does not report it."""

    rows: Sequence[AnyRow]
    rowcount: int

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self) -> AnyRow | None:
        """Return the first row, None when there is none."""
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any:
        """Return the first column of the first row, None when there is none."""
        return self.rows[0][0] if self.rows else None


class Driver(Protocol):
    """The hot path: compiled text, positional values, plain tuples. Its errors are those of `foundation.db.errors`."""

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of a query, or those that a change RETURNs."""
        ...

    async def run(self, statement: Prepared, values: Values) -> int:
        """Make one change; return the number of affected rows."""
        ...

    async def run_later(self, statement: Prepared, values: Values) -> None:
        """Queue one change; its outcome is not returned.

        It is made before the transaction ends and after earlier statements. If it fails, the transaction fails: leaving
        the block raises. On SQLite this saves a switch to the writer's thread and back.
        """
        ...

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        """Run `rows` for each of the values, in their order and in one call; return all rows together."""
        ...

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        """Make the same change for each row; the fields are in the order of `statement.order`."""
        ...

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows by the fastest means of the database (COPY, executemany). Any conflict fails all of them."""
        ...


class Transaction(Protocol):
    """One transaction. In one from `read()`, the database refuses changes."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def driver(self) -> Driver: ...

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        """Run a Core statement. Raises `ConstraintViolated`, `DatabaseUnavailable`."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """Run a block that may fail alone: an exception rolls the block back and is raised to the caller."""
        ...
