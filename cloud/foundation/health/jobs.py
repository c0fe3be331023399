"""Watch the database for damage, and report the result to readiness and metrics."""

from cloud.foundation.checks import DatabaseCheck
from cloud.foundation.integrity import IntegrityWatch, integrity_sampler
from cloud.foundation.jobs import Jobs, Loop
from cloud.foundation.process import Process


def jobs(process: Process) -> Jobs:
    watch = IntegrityWatch(process.database, process.clock)
    return Jobs(
        loops=[Loop("integrity", watch.run)],
        checks=[DatabaseCheck(process.database), watch],
        samplers=[("integrity", integrity_sampler(watch))],
    )
