"""The retention of idempotency keys, and the chore that deletes unused rate limits."""

from cloud.foundation.housekeeping import Chore
from cloud.foundation.http.idempotency import WINDOW_US
from cloud.foundation.http.rate_store import sweep_rates
from cloud.foundation.http.tables import idempotency_keys
from cloud.foundation.jobs import Jobs
from cloud.foundation.process import Process
from cloud.foundation.retention import AgedRows, Kind

KINDS = (
    Kind(
        name="idempotency_keys",
        meaning="replies to requests with an Idempotency-Key; a repeated request gets its reply for one day",
        default_days=1,
        is_evidence=False,
        sweep=lambda: AgedRows(idempotency_keys, idempotency_keys.c.expires_at_us, ahead_us=WINDOW_US),
    ),
)


def jobs(_process: Process) -> Jobs:
    return Jobs(chores=[Chore("rate_buckets", sweep_rates)])
