"""The findings of `doctor` about schedules."""

from collections.abc import Sequence

from cloud.foundation.clock import Clock
from cloud.foundation.db import Database
from cloud.foundation.findings import Finding, Level
from cloud.work.schedules.failing import FAILED_JOBS, find_failing
from cloud.work.schedules.store import ScheduleStore

LATE_US = 600_000_000
"""Time for which a time of a schedule may wait before `doctor` warns: longer than an upgrade."""

FAILING_MAX = 10
"""Schedules whose jobs fail that are named at most."""


async def schedule_findings(database: Database, clock: Clock) -> Sequence[Finding]:
    """Return what `doctor` reports about schedules: those that the service has paused, whose jobs fail, whose job
    cannot be started, or that no worker serves."""
    store = ScheduleStore()
    async with database.read() as tx:
        stopped, next_us = await store.count_stopped(tx), await store.earliest_next_us(tx)
        failing = await find_failing(tx, None, FAILING_MAX)
    findings = []
    if stopped:
        sentence = (
            f"{stopped} schedules are paused, since their jobs were refused; see `argus-cloud jobs schedule list` of "
            "each tenant, correct the reason, and resume or remove them."
        )
        findings.append(Finding("schedules", Level.WARNING, sentence))
    if failing:
        named = ", ".join(f"{one.id} of {one.tenant_id}" for one in failing)
        sentence = (
            f"The last {FAILED_JOBS} jobs of a schedule have failed: {named}. See `argus-cloud jobs schedule show` and "
            "the errors of the jobs."
        )
        findings.append(Finding("schedules", Level.WARNING, sentence))
    late_us = 0 if next_us is None else clock.now_us() - next_us
    if late_us > LATE_US:
        sentence = (
            f"A schedule has been due for {late_us // 60_000_000} minutes; does a process with the worker role run, "
            "or is the queue of the tenant full? The log has the reason of each delay (schedule.delayed)."
        )
        findings.append(Finding("schedules", Level.WARNING, sentence))
    return findings or [Finding("schedules", Level.OK, "No schedule is late, fails or was stopped.")]
