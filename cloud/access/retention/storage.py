"""Record the size of the stored data once a day, and project when the disk is full with the periods that are set.

The data are the database and the objects in a local folder.

The growth is measured and not calculated from the settings, so it includes indexes, free space within pages and all
kinds of data. It is the growth after deletion: where retention deletes as much as arrives, it is about 0.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select, text

from cloud.access.retention.tables import storage_days
from cloud.foundation.db import Records, Transaction, insert
from cloud.foundation.retention import DAY_US
from cloud.foundation.supplies import Need

DAYS_KEPT = 400
"""Days of which the size is kept: more than a year, so that seasons can be compared."""
DAYS_MEASURED = 14
"""Days over which the growth is averaged: two weeks, since weekends differ from other days."""
SHORT_DAYS = 90
"""Days until the disk is full below which `doctor` warns: buying and installing disks takes weeks."""

# Free pages of a SQLite file are filled before the file grows, so they are not counted.
_SQLITE_BYTES = text(
    "SELECT (pages.page_count - free.freelist_count) * size.page_size"
    " FROM pragma_page_count() AS pages, pragma_freelist_count() AS free, pragma_page_size() AS size"
)
_POSTGRESQL_BYTES = text("SELECT pg_database_size(current_database())")


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageDay:
    """The size of the database, with the objects in a local folder, on a day. `day` counts the days since 1970 UTC."""

    day: int
    size_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """The growth of the database in bytes a day, measured over `days` days, and the days until the free space is used
    up by it. `full_in_days` is None if the database does not grow, or if the free space is not known."""

    size_bytes: int
    bytes_per_day: int
    days: int
    full_in_days: int | None

    @property
    def is_short(self) -> bool:
        return self.full_in_days is not None and self.full_in_days < SHORT_DAYS


_DAYS = Records(StorageDay, storage_days)


OBJECT_BYTES: Need[Callable[[Transaction], Awaitable[int]]] = Need("return the bytes of all objects")


class StorageRecord:
    """SQL statements on the daily sizes of the database. `object_bytes` returns the bytes of the objects; None: they
    are not on a disk of this machine."""

    def __init__(self, object_bytes: Callable[[Transaction], Awaitable[int]] | None = None) -> None:
        self._object_bytes = object_bytes

    async def record(self, tx: Transaction, now_us: int) -> int:
        """Record the present size as the one of today, unless today has one. Return 0: nothing more is due."""
        day = now_us // DAY_US
        known = await tx.execute(select(storage_days.c.day).where(storage_days.c.day == day))
        if known.first() is not None:
            return 0
        values = _DAYS.values(StorageDay(day=day, size_bytes=await self.size_bytes(tx)))
        await tx.execute(insert(storage_days).values(values).on_conflict_do_nothing())
        await tx.execute(delete(storage_days).where(storage_days.c.day < day - DAYS_KEPT))
        return 0

    async def size_bytes(self, tx: Transaction) -> int:
        """Return the present size of the database, with its objects."""
        size = int((await tx.execute(_SQLITE_BYTES if tx.dialect == "sqlite" else _POSTGRESQL_BYTES)).scalar())
        return size if self._object_bytes is None else size + await self._object_bytes(tx)

    async def recent(self, tx: Transaction) -> Sequence[StorageDay]:
        """Return the sizes of the last `DAYS_MEASURED` days and of the day before them, oldest first."""
        statement = _DAYS.select().order_by(storage_days.c.day.desc()).limit(DAYS_MEASURED + 1)
        return (await _DAYS.all(tx, statement))[::-1]


def project(recent: Sequence[StorageDay], free_bytes: int | None) -> Projection | None:
    """Project the growth between the first and the last of `recent` into the future; None with less than two days."""
    if len(recent) < 2:
        return None
    first, last = recent[0], recent[-1]
    days = last.day - first.day
    per_day = (last.size_bytes - first.size_bytes) // days
    full_in_days = free_bytes // per_day if free_bytes is not None and per_day > 0 else None
    return Projection(size_bytes=last.size_bytes, bytes_per_day=per_day, days=days, full_in_days=full_in_days)
