"""The background step of the database itself, and the metrics of all steps."""

from cloud.foundation.db import Database
from cloud.foundation.jobs import Jobs
from cloud.foundation.observability import (
    STEPS_FAILING,
    STEPS_PENDING,
    STEPS_ROWS_DONE,
    STEPS_ROWS_TOTAL,
    Metrics,
    Sampler,
)
from cloud.foundation.process import Process
from cloud.foundation.steps.indexes import index_step
from cloud.foundation.steps.store import StepStore


def jobs(process: Process) -> Jobs:
    return Jobs(steps=[index_step(process.database)], samplers=[("steps", steps_sampler(process.database))])


def steps_sampler(database: Database) -> Sampler:
    """Return the function that sets the metrics of unfinished background steps at each scrape."""
    store = StepStore()

    async def sample(metrics: Metrics) -> None:
        async with database.read() as tx:
            unfinished = await store.unfinished(tx)
        metrics.set(STEPS_PENDING, len(unfinished))
        metrics.set(STEPS_FAILING, sum(state.failure is not None for state in unfinished))
        metrics.set(STEPS_ROWS_DONE, sum(state.rows_done for state in unfinished))
        metrics.set(STEPS_ROWS_TOTAL, sum(state.rows_total for state in unfinished))

    return sample
