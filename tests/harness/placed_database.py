"""A database in which each statement, and each begin and commit of a transaction, is a place to kill the process at."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from cloud.foundation.db import Database
from cloud.foundation.db.transaction import Transaction
from tests.builders.statement_count import CountingDatabase


class PlacedDatabase(CountingDatabase):
    """A wrapper of a database. `passed` is called with `statement` before each statement in a transaction, with
    `transaction` before a transaction begins, and with `commit` behind its commit."""

    def __init__(self, database: Database, passed: Callable[[str], None]) -> None:
        self._passed = passed
        self._count = 0
        super().__init__(database)

    @property
    def statements(self) -> int:
        return self._count

    @statements.setter
    def statements(self, count: int) -> None:
        self._count = count
        if count:
            self._passed("statement")

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        self._passed("transaction")
        async with super().transaction() as tx:
            yield tx
        self._passed("commit")
