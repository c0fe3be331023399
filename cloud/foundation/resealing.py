"""Seal the secrets in the database again after a rotation of the master key, and count what needs which key.

The columns are found by their declaration (`sealed_for`), so no slice takes part. A value is
replaced only if it is still the one that was read, so a change by another process is never lost; every value is whole
at any moment, under one key or the other, so the work may be killed anywhere.
"""

from collections.abc import Callable

import structlog
from sqlalchemy import case, func, literal, select, update

from cloud.foundation.db import SealedColumn, Transaction, sealed_columns
from cloud.foundation.master_key import (
    KEY_ID_BYTES,
    VERSION_UNNAMED,
    MasterKey,
    MasterKeyAbsent,
    MasterKeyUnfit,
    SealBroken,
    name_of_key,
)
from cloud.foundation.settings import SettingsUnusable
from cloud.foundation.slice import load_tables

CHUNK_ROWS = 50
"""Values that one transaction seals again: some milliseconds."""

log = structlog.get_logger()


async def count_by_key(tx: Transaction) -> dict[str | None, int]:
    """Return the number of sealed values by the id of the master key that sealed them; None for values that do not name
    their key."""
    load_tables()
    counts: dict[str | None, int] = {}
    for one in sealed_columns():
        start = func.substr(one.column, 1, 1 + KEY_ID_BYTES)
        unnamed = func.substr(one.column, 1, 1) == VERSION_UNNAMED
        prefix = case((unnamed, literal(VERSION_UNNAMED)), else_=start)
        statement = select(prefix, func.count()).where(one.column.is_not(None)).group_by(prefix)
        for found, count in await tx.execute(statement):
            kid = None if bytes(found) == VERSION_UNNAMED else name_of_key(bytes(found)[1:])
            counts[kid] = counts.get(kid, 0) + count
    return counts


class Resealer:
    """Seals values again under the current master key, as a chore of the worker. The function `master` returns the
    master key."""

    def __init__(self, master: Callable[[], MasterKey]) -> None:
        self._master = master
        self._ended_for = VERSION_UNNAMED
        """Prefix of the seals of the key for which all values were examined. An installation that has never rotated its
        key has nothing to do."""
        self._pending: list[tuple[SealedColumn, str]] = []
        """The columns to examine in this pass, each with the name of the last examined row."""

    async def work(self, tx: Transaction, _now_us: int) -> int:
        """Seal a chunk of values under the current key; return the number of examined values, 0 at the end of a
        pass."""
        try:
            master = self._master()
        except (MasterKeyAbsent, MasterKeyUnfit, SettingsUnusable):
            return 0  # `doctor` reports it, and so does every part that needs the key
        prefix = master.seal_prefix
        if not self._pending:
            if prefix == self._ended_for:
                return 0
            load_tables()
            self._pending = [(one, "") for one in sealed_columns()]
        while self._pending:
            one, after = self._pending[0]
            statement = (
                select(one.name_column, one.column)
                .where(one.column.is_not(None), one.name_column > after)
                .where(func.substr(one.column, 1, len(prefix)) != prefix)
                .order_by(one.name_column)
                .limit(CHUNK_ROWS)
            )
            rows = (await tx.execute(statement)).rows
            if rows:
                for name, value in rows:
                    await _seal_again(tx, master, one, str(name), bytes(value))
                self._pending[0] = (one, str(rows[-1][0]))
                return len(rows)
            del self._pending[0]
        self._ended_for = prefix
        return 0


async def _seal_again(tx: Transaction, master: MasterKey, one: SealedColumn, name: str, value: bytes) -> None:
    """Replace a value by the same value under the current key; leave it if no key opens it."""
    try:
        plain = master.open(one.purpose, name, value)
    except SealBroken:
        log.error("master_key.seal_broken", table=one.column.table.name, column=one.column.name)
        return
    again = master.seal(one.purpose, name, plain)
    unchanged = (one.name_column == name, one.column == value)
    await tx.execute(update(one.column.table).where(*unchanged).values({one.column.name: again}))
