"""A transaction as stores see it, the same on both databases.

`execute` runs any Core statement and returns its rows, already fetched. `driver` is the fast path: it runs `Prepared`
statements directly on the database driver. Stores never begin or end a transaction. Services do, with
`Database.transaction()` and `Database.read()`.
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
    """The fetched rows of a statement. `rowcount` is the number of changed rows, -1 where the driver does not report
    it."""

    rows: Sequence[AnyRow]
    rowcount: int

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self) -> AnyRow | None:
        """Return the first row; None when there is no row."""
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any:
        """Return the first column of the first row; None when there is no row."""
        return self.rows[0][0] if self.rows else None


class Driver(Protocol):
    """The fast path of a transaction: it runs statements that are already compiled, and returns plain tuples.

    It raises the errors of `foundation.db.errors`.
    """

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """Return the rows of a query, or of a change with RETURNING."""
        ...

    async def run(self, statement: Prepared, values: Values) -> int:
        """Run a change with these values; return the number of changed rows."""
        ...

    async def run_later(self, statement: Prepared, values: Values) -> None:
        """Queue a change and return at once.

        The change is made after the earlier statements and before the transaction ends. If it fails, the transaction
        fails at its end. On SQLite this saves a switch to the writer's thread and back.
        """
        ...

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        """Run `rows` for each of `values`, in order and in one call; return all rows in one sequence."""
        ...

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run a change once for each row. The fields of a row are in the order of `statement.order`."""
        ...

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert rows by the fastest means of the database (PostgreSQL: COPY). One conflict makes all of them fail."""
        ...


class Transaction(Protocol):
    """A transaction on either database, as stores use it.

    In a transaction of `Database.read()`, the database refuses changes.
    """

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
