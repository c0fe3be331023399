"""The schedules whose jobs fail again and again. They stay active, so only a report shows the failures."""

from collections.abc import Sequence

from cloud.foundation.db import Transaction
from cloud.foundation.viewer import Viewer
from cloud.work.jobs import JobStatus, JobStore
from cloud.work.schedules.model import FailedSchedule
from cloud.work.schedules.store import ScheduleStore

FAILED_JOBS = 3
"""Jobs in a row that have failed before a schedule is reported. One or two may fail by an outage."""

CANDIDATES_MAX = 1_000
"""Schedules with failed jobs that are examined at most."""


async def find_failing(tx: Transaction, viewer: Viewer | None, limit: int) -> Sequence[FailedSchedule]:
    """Return at most `limit` active schedules whose last `FAILED_JOBS` jobs that have ended have failed: those that the
    viewer may see, or those of all tenants. A job that succeeds ends this at once."""
    found = await ScheduleStore().list_failed(tx, viewer, FAILED_JOBS - 1, CANDIDATES_MAX)
    statuses = await JobStore().statuses(tx, [one.job_id for one in found if one.job_id is not None])
    failing = [one for one in found if count_failed(one.failures, statuses.get(one.job_id or "")) >= FAILED_JOBS]
    return failing[:limit]


def count_failed(before: int, last: JobStatus | None) -> int:
    """Return the number of jobs in a row that have failed, up to the last one, whose status is `last` (None: there is
    none). `before` of them precede it. A cancelled job does not count."""
    if last is JobStatus.SUCCEEDED:
        return 0
    return before + (last is JobStatus.FAILED)
