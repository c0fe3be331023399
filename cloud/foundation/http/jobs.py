"""Chores that delete expired idempotency keys, rate limits and spans."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.http.idempotency import sweep_keys
from cloud.foundation.http.rate_store import sweep_rates
from cloud.foundation.http.spans import sweep_spans
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process


def jobs(_process: Process) -> Jobs:
    return Jobs(
        chores=[Chore("idempotency_keys", sweep_keys), Chore("rate_buckets", sweep_rates), Chore("spans", sweep_spans)]
    )
