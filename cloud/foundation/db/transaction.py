"""What a store is handed: one open transaction on either database, and the fast way through it.

`execute` takes any Core statement and returns its rows, already fetched. `driver` runs `Prepared` statements on the
database driver itself. Stores never open or end transactions; services do, with `Database.transaction()` and
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
    """What a statement gave back. `rowcount` is the number of rows it changed, -1 where the driver does not say."""

    rows: Sequence[AnyRow]
    rowcount: int

    def __iter__(self) -> Iterator[AnyRow]:
        return iter(self.rows)

    def __len__(self) -> int:
        return len(self.rows)

    def first(self) -> AnyRow | None:
        """The first row, None when there is none."""
        return self.rows[0] if self.rows else None

    def scalar(self) -> Any:
        """The first column of the first row, None when there is none."""
        return self.rows[0][0] if self.rows else None


class Driver(Protocol):
    """The hot path: compiled text, positional values, plain tuples. Errors are those of `foundation.db.errors`."""

    async def rows(self, statement: Prepared, values: Values) -> Sequence[Sequence[Any]]:
        """The rows of a query, or those that a change RETURNs."""
        ...

    async def run(self, statement: Prepared, values: Values) -> int:
        """Make one change; the number of rows it touched."""
        ...

    async def run_later(self, statement: Prepared, values: Values) -> None:
        """Make one change whose outcome nobody here waits for.

        It happens before the transaction ends, after what was asked for earlier, and when it fails the transaction does
        not happen: leaving the block raises. On SQLite it spares the way to the writer and back.
        """
        ...

    async def rows_many(self, statement: Prepared, values: Sequence[Values]) -> Sequence[Sequence[Any]]:
        """As `rows` for each of the values, in their order and in one go; all rows together."""
        ...

    async def run_many(self, statement: Prepared, rows: Sequence[tuple[Any, ...]]) -> None:
        """Make the same change for each row; fields as `statement.order` names them."""
        ...

    async def append(self, table: Table, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> None:
        """Insert many rows by the fastest way the database has (COPY, executemany). Any conflict fails the whole."""
        ...


class Transaction(Protocol):
    """One transaction. In one from `read()`, a change is refused by the database."""

    @property
    def dialect(self) -> DialectName: ...

    @property
    def driver(self) -> Driver: ...

    async def execute(self, statement: Executable, parameters: Parameters = None) -> Rows:
        """Run a Core statement. Raises `ConstraintViolated`, `DatabaseUnavailable`."""
        ...

    def savepoint(self) -> AbstractAsyncContextManager[None]:
        """A part that may fail alone: leaving it by an exception undoes the part, and the exception goes on."""
        ...
