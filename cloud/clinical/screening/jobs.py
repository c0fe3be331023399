"""Delete the rows of editions of lists that are no longer searched."""

from cloud.clinical.screening.store import ListStore
from cloud.foundation.db import Transaction
from cloud.foundation.housekeeping import Chore
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process

IMPORT_US_MAX = 24 * 3600 * 1_000_000
"""Time after which an import that has not ended never will: the largest list takes minutes."""


def jobs(process: Process) -> Jobs:
    store = ListStore()

    async def empty(tx: Transaction, now_us: int) -> int:
        return await store.empty_chunk(tx, now_us - IMPORT_US_MAX, now_us)

    return Jobs(chores=[Chore("screening_lists", empty)])
