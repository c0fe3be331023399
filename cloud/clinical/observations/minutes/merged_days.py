"""Marks of the partitions that have the room of merged rows. PostgreSQL only.

A mark is the comment of the partition. It changes in the transaction that merges the rows, so it is as durable as the
merge: a worker that ends before the partition is written again leaves the mark to the next one. It needs no table, and
it ends with its partition.

A day that is being merged is not to be written again yet, because that would be of use only until the next rows of the
day are merged. So there are two marks: one from the first merged rows on, and one from the end of the walk on.
"""

from collections.abc import Sequence

from cloud.clinical.observations.arrival_days import MINUTE_DAYS
from cloud.foundation.db import Transaction

MERGING = "Argus merges rows of this day."
SPARSE = "Argus is to write this day again, because it has the room of merged rows."


async def note_merge(tx: Transaction, day: int) -> None:
    """Mark a day of which rows are merged, if this account may write its partition again."""
    if tx.dialect == "postgresql" and not await is_merging(tx, day) and await MINUTE_DAYS.may_add(tx):
        await MINUTE_DAYS.set_comment(tx, day, MERGING)


async def is_merging(tx: Transaction, day: int) -> bool:
    """Return whether rows of a day were merged in a walk that has not ended."""
    return await MINUTE_DAYS.comment_of(tx, day) == MERGING


async def end_walk(tx: Transaction, day: int) -> bool:
    """Mark a day as one to be written again if rows of it were merged. Return False if nothing changes."""
    if not await is_merging(tx, day):
        return False
    await MINUTE_DAYS.set_comment(tx, day, SPARSE)
    return True


async def sparse_days(tx: Transaction) -> Sequence[int]:
    """Return the days whose partitions are to be written again, in ascending order; none on SQLite."""
    return await MINUTE_DAYS.days_with_comment(tx, SPARSE)
